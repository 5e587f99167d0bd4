//! Reads every byte of the cache, and moves aside what is not as it was written.
//! Unaware of what will be computed again: the report names the keys.
//!
//! Large files are hashed through memory maps. A disk that fails to read under a map kills the process by SIGBUS, where a
//! read would be an error; that is accepted here and nowhere else, because nothing is being computed that could be lost,
//! and a cache on such a disk has to be moved anyway.

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use rayon::prelude::*;

use crate::presence::is_good;
use crate::seal::added_to;
use crate::{DAMAGED_RECORD, Key, Output, Record, Result, Store};

/// How far a verification is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Outputs read.
    pub files: u64,
    /// Outputs in all.
    pub all_files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in all.
    pub all_bytes: u64,
}

/// What a verification found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Committed keys.
    pub entries: u64,
    /// Their outputs and bytes, as far as their records can be read.
    pub read: Progress,
    /// The keys that are not whole, in order.
    pub broken: Vec<Broken>,
}

/// A key that will be computed again.
#[derive(Debug)]
pub struct Broken {
    /// The key.
    pub key: Key,
    /// The kind of stage; empty where the record is damaged.
    pub kind: String,
    /// Outputs that are not what was committed, what lies among them and is none, or [`DAMAGED_RECORD`].
    pub damaged: Vec<String>,
    /// Outputs that are gone.
    pub missing: Vec<String>,
    /// Where the entry was moved; why not, for one that is being computed. One that only misses outputs stays in its
    /// place until its stage runs, and all do in a cache that was opened for reading.
    pub moved: Option<Result<PathBuf>>,
}

/// What lies in the folder of a record's outputs.
struct Found {
    /// For each output whether it is good; `None` for one that is gone.
    outputs: Vec<Option<bool>>,
    /// What lies there and is no output.
    added: Vec<String>,
}

impl Store {
    /// Reads every record and output, on all cores. Damaged entries move to `damaged/`, where that may be. `on_progress` is called from
    /// this thread, now and then.
    pub fn verify_all(&self, on_progress: &dyn Fn(Progress)) -> Result<VerifyReport> {
        let keys = self.keys()?;
        let records = keys.par_iter().map(|key| (*key, self.record(key)));
        let records: Vec<(Key, Result<Option<Record>>)> = records.collect();
        let (found, read) = self.read_all(&records, on_progress);
        let mut report = VerifyReport {
            entries: records.len() as u64,
            read,
            broken: Vec::new(),
        };
        for ((key, record), found) in records.into_iter().zip(found) {
            report.broken.extend(self.sum_up(key, record, &found));
        }
        Ok(report)
    }

    /// What is found of each record.
    fn read_all(
        &self,
        records: &[(Key, Result<Option<Record>>)],
        on_progress: &dyn Fn(Progress),
    ) -> (Vec<Found>, Progress) {
        let outputs = |(_, record): &(Key, _)| outputs(record).to_vec();
        let all: Vec<Vec<Output>> = records.iter().map(outputs).collect();
        let mut progress = Progress {
            all_files: all.iter().map(|outputs| outputs.len() as u64).sum(),
            all_bytes: all.iter().flatten().map(|output| output.size).sum(),
            ..Progress::default()
        };
        let (sender, receiver) = channel();
        let keys: Vec<Key> = records.iter().map(|(key, _)| *key).collect();
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let entries = keys.par_iter().zip(all.par_iter());
                entries
                    .map_with(sender, |sender, (key, outputs)| {
                        self.read_outputs(key, outputs, sender)
                    })
                    .collect()
            });
            for bytes in receiver {
                progress.files += 1;
                progress.bytes += bytes;
                on_progress(progress);
            }
            let found = reader.join();
            (
                found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                progress,
            )
        })
    }

    fn read_outputs(&self, key: &Key, outputs: &[Output], done: &Sender<u64>) -> Found {
        let folder = self.output_dir(key);
        let read = |done: &mut Sender<u64>, output: &Output| {
            let good = is_good(self, &folder, output);
            let _ = done.send(output.size); // nobody listens after a panic
            good
        };
        Found {
            outputs: outputs.par_iter().map_with(done.clone(), read).collect(),
            added: added_to(&folder, outputs),
        }
    }

    /// The report of a key that is not whole, moved aside where it is damaged.
    fn sum_up(&self, key: Key, record: Result<Option<Record>>, found: &Found) -> Option<Broken> {
        let named = |what: Option<bool>| {
            let those = outputs(&record).iter().zip(&found.outputs);
            let those = those.filter(|&(_, &found)| found == what);
            those.map(|(output, _)| output.path.clone()).collect()
        };
        let (mut damaged, missing): (Vec<String>, Vec<String>) = (named(Some(false)), named(None));
        if matches!(record, Ok(Some(_))) {
            damaged.extend_from_slice(&found.added); // without a record nobody knows what belongs there
        }
        if record.is_err() {
            damaged.push(DAMAGED_RECORD.to_owned());
        }
        if damaged.is_empty() && missing.is_empty() {
            return None;
        }
        if self.has_changed(&key, &record) {
            return None;
        }
        let is_same = || !self.has_changed(&key, &record);
        let moves = !damaged.is_empty() && self.check_writable().is_ok();
        let moved = match moves.then(|| self.quarantine_if(&key, is_same)) {
            Some(Ok(None)) => return None, // made anew just now
            Some(Ok(Some(folder))) => Some(Ok(folder)),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        Some(Broken {
            key,
            kind: record.ok().flatten().map(|r| r.kind).unwrap_or_default(),
            damaged,
            missing,
            moved,
        })
    }

    /// Whether a clean-up removed the key, or another run committed it anew, since its record was read.
    fn has_changed(&self, key: &Key, before: &Result<Option<Record>>) -> bool {
        match (self.record(key), before) {
            (Ok(now), Ok(before)) => now != *before,
            (Err(_), Err(_)) => false,
            _ => true,
        }
    }
}

fn outputs(record: &Result<Option<Record>>) -> &[Output] {
    match record {
        Ok(Some(record)) => &record.outputs,
        _ => &[],
    }
}
