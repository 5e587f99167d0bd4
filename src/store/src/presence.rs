//! Whether the outputs of a key are there as its record says, and what they were made from.
//! Unaware of why anyone asks, and of how to repair it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;

use crate::error::at;
use crate::listed::Listed;
use crate::record::MAX_RECORD;
use crate::stat::{Stat, now};
use crate::{Amount, DAMAGED_RECORD, Key, Made, Output, Record, Result, Status, Store, StoreError};

/// How closely to look at files whose size fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Trust the memo where the kernel says that the file did not change.
    Memo,
    /// Read every byte.
    Bytes,
    /// Read every byte, of large files through a memory map.
    Mapped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Good,
    Missing,
    Damaged,
}

/// How one output is found, by every byte.
pub(crate) fn is_good(store: &Store, folder: &Path, output: &Output) -> Option<bool> {
    match find(
        store,
        &folder.join(&output.path),
        &output.into(),
        Look::Mapped,
    ) {
        Found::Good => Some(true),
        Found::Damaged => Some(false),
        Found::Missing => None,
    }
}

/// From this many outputs or keys on, all cores look: to wake them takes longer than a few of them.
const MANY: usize = 64;

impl Store {
    /// How a key is found, by the memo: bytes are read only of files that the memo does not know as they are.
    /// The record is taken from the index (`records.index`) while its file is the one that the index was made of, so a
    /// bit that a disk loses in it unseen is noticed by [`Store::verify`] and [`Store::record`], not here; the answer is
    /// right all the same, for the index has a checksum of its own.
    pub fn presence(&self, key: &Key) -> Status {
        let path = self.layout().record(key);
        let stat = match fs::symlink_metadata(&path) {
            Ok(meta) => Stat::of(&meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Status::Absent,
            Err(_) => return judge(self, key, &path, Look::Memo),
        };
        let folder = self.output_dir(key);
        if let Some(outputs) = self.committed(key, &stat) {
            let listed = outputs.iter().map(Listed::from);
            return judge_outputs(self, &folder, listed, outputs.len(), Look::Memo);
        }
        if let Some(found) = self.index().get(key, &stat) {
            let known = found.known();
            return judge_outputs(self, &folder, known.outputs(), known.count(), Look::Memo);
        }
        judge(self, key, &path, Look::Memo)
    }

    /// The outputs of a committed key, from the index where it knows them; none when there is no whole record.
    pub fn outputs(&self, key: &Key) -> Vec<Output> {
        let path = self.layout().record(key);
        let Ok(meta) = fs::symlink_metadata(&path) else {
            return Vec::new();
        };
        let stat = Stat::of(&meta);
        if let Some(outputs) = self.committed(key, &stat) {
            return outputs.to_vec();
        }
        if let Some(found) = self.index().get(key, &stat) {
            return found.known().outputs().map(Listed::to_owned).collect();
        }
        let record = self.record(key).ok().flatten();
        record.map(|record| record.outputs).unwrap_or_default()
    }

    /// [`Store::presence`] of many keys, on all cores, in the order given.
    pub fn presences(&self, keys: &[Key]) -> Vec<Status> {
        if keys.len() < MANY {
            return keys.iter().map(|key| self.presence(key)).collect();
        }
        keys.par_iter().map(|key| self.presence(key)).collect()
    }

    /// What lies under a key and from what it was made, from the index where it knows the record. Also of a key that this
    /// process has committed and that is not published yet.
    pub fn made(&self, key: &Key) -> Option<Made> {
        let path = self.layout().record(key);
        let stat = match fs::symlink_metadata(&path) {
            Ok(meta) => Stat::of(&meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return self.pending(key),
            Err(_) => return None,
        };
        if let Some(made) = self.committed_made(key, &stat) {
            return Some(made);
        }
        if let Some(found) = self.index().get(key, &stat) {
            return found.known().made();
        }
        self.record(key)
            .ok()
            .flatten()
            .map(|record| Made::of(&record))
    }

    /// [`Store::made`] of many keys, on all cores, in the order given.
    pub fn made_all(&self, keys: &[Key]) -> Vec<Option<Made>> {
        if keys.len() < MANY {
            return keys.iter().map(|key| self.made(key)).collect();
        }
        keys.par_iter().map(|key| self.made(key)).collect()
    }

    /// How a key is found, by every byte of record and outputs. What is found is memoised: damage shows in
    /// [`Store::presence`] from then on.
    pub fn verify(&self, key: &Key) -> Status {
        judge(self, key, &self.layout().record(key), Look::Bytes)
    }

    /// The record of a committed key, by its bytes.
    pub fn record(&self, key: &Key) -> Result<Option<Record>> {
        read(self, key, &self.layout().record(key))
    }

    /// Reads records that were too young for the index when they were seen, and keeps the index for the next run.
    pub(crate) fn save_index(&self) -> Result<()> {
        for key in self.take_young_records() {
            let _ = self.record(&key); // learns it, or notes it again
        }
        self.index()
            .save(&self.layout().index(), &std::collections::BTreeSet::new())
    }
}

/// Reads a record, and tells the index where its file is old enough.
fn read(store: &Store, key: &Key, path: &Path) -> Result<Option<Record>> {
    let damaged = |what| StoreError::DamagedRecord {
        path: path.to_path_buf(),
        what,
    };
    let (bytes, stat, began) = match read_with_stat(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if is_no_record(&e) => return Err(damaged(e.to_string())),
        other => other.map_err(at("read", path))?,
    };
    let record = Record::decode(&bytes, key).map_err(damaged)?;
    match stat {
        Some(stat) if !stat.is_young(began) => {
            let is_known = store.index().get(key, &stat).is_some();
            if !is_known {
                let made = Made::of(&record);
                store.index().put(*key, &stat, &record.outputs, &made);
            }
        }
        _ => store.index_later(*key),
    }
    Ok(Some(record))
}

/// Whether what lies in a record's place is a FIFO or a device, which is none, whoever reads it.
fn is_no_record(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

/// The bytes of a file, its stat unless it changed meanwhile, and when reading began.
fn read_with_stat(path: &Path) -> io::Result<(Vec<u8>, Option<Stat>, i64)> {
    let began = now();
    let mut file = files::open(path)?;
    let before = file.metadata()?;
    let size = before.len().min(MAX_RECORD);
    let mut bytes = Vec::with_capacity(size as usize + 1);
    // One that is cut off here is not whole, and its checksum says so.
    Read::by_ref(&mut file)
        .take(MAX_RECORD)
        .read_to_end(&mut bytes)?;
    let (before, after) = (Stat::of(&before), Stat::of(&file.metadata()?));
    Ok((bytes, (before == after).then_some(before), began))
}

fn judge(store: &Store, key: &Key, path: &Path, look: Look) -> Status {
    match read(store, key, path) {
        Ok(None) => Status::Absent,
        Ok(Some(Record { outputs, .. })) => {
            let listed = outputs.iter().map(Listed::from);
            judge_outputs(store, &store.output_dir(key), listed, outputs.len(), look)
        }
        Err(_) => Status::Damaged(vec![DAMAGED_RECORD.to_owned()]),
    }
}

pub(crate) fn judge_outputs<'a>(
    store: &Store,
    folder: &Path,
    outputs: impl Iterator<Item = Listed<'a>>,
    count: usize,
    look: Look,
) -> Status {
    let find = |output: Listed<'a>| {
        (
            output,
            find(store, &folder.join(output.path), &output, look),
        )
    };
    if count < MANY && look == Look::Memo {
        return sum_up(outputs.map(find));
    }
    let all: Vec<Listed<'a>> = outputs.collect();
    let found: Vec<_> = all.into_par_iter().map(find).collect();
    sum_up(found.into_iter())
}

fn sum_up<'a>(found: impl Iterator<Item = (Listed<'a>, Found)>) -> Status {
    let (mut amount, mut damaged, mut missing) = (Amount::default(), Vec::new(), Vec::new());
    for (output, found) in found {
        amount += output.amount();
        match found {
            Found::Good => {}
            Found::Missing => missing.push(output.path.to_owned()),
            Found::Damaged => damaged.push(output.path.to_owned()),
        }
    }
    match (damaged.is_empty(), missing.is_empty()) {
        (false, _) => Status::Damaged(damaged),
        (true, false) => Status::Missing(missing),
        (true, true) => Status::Fresh(amount),
    }
}

fn find(store: &Store, path: &Path, output: &Listed<'_>, look: Look) -> Found {
    use io::ErrorKind::{NotADirectory, NotFound};
    let stat = match fs::symlink_metadata(path) {
        Ok(meta) if !output.kind.fits(path, &meta) => return Found::Damaged,
        Ok(_) if !output.kind.is_file() => return Found::Good,
        Ok(meta) if meta.len() == output.size => Stat::of(&meta),
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => return Found::Missing,
        _ => return Found::Damaged,
    };
    let digest = match look {
        Look::Memo => store.digest_of(path, &stat),
        Look::Bytes => store.digest_anew(path),
        Look::Mapped => store.digest_mapped(path),
    };
    let good = digest.is_ok_and(|digest| digest == output.digest);
    if good { Found::Good } else { Found::Damaged }
}
