//! The right to compute one key: a kernel lock and a folder to write in; only `commit` makes it a result.
//! Unaware of what is computed, and by whom.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::atomic::{flush_one, parent, remove_all, rename_into, sweep};
use crate::error::{at, at_sized};
use crate::outputs::Stock;
use crate::{
    Facts, Key, Presence, RECORD_FORMAT, Record, Result, Store, StoreError, aside, lock, outputs,
};

/// The answer to who may compute a key.
#[derive(Debug)]
pub enum Claim {
    /// You may.
    Ready(Ticket),
    /// Another process does, or what a killed one started still lives. Ask again: while this process starts a child,
    /// that child has all our locks for a moment.
    Busy,
    /// It is done.
    Done(Record),
}

/// The right to compute a key. Dropped without a commit it leaves no result; `state` stays for the next one.
#[derive(Debug)]
pub struct Ticket {
    store: Store,
    key: Key,
    partial: PathBuf,
    out: PathBuf,
    state: PathBuf,
    lock: File,
}

/// Looks, locks, and looks again: the key may have been committed between.
pub(crate) fn claim(store: &Store, key: &Key) -> Result<Claim> {
    if let Some(record) = done(store, key)? {
        return Ok(Claim::Done(record));
    }
    let Some(lock) = lock::try_take(&store.layout().lock(key))? else {
        return Ok(Claim::Busy);
    };
    match done(store, key)? {
        Some(record) => Ok(Claim::Done(record)),
        None => Ticket::new(store, key, lock).map(Claim::Ready),
    }
}

/// The record of a fresh key. One that cannot be read for another reason than damage is an error.
fn done(store: &Store, key: &Key) -> Result<Option<Record>> {
    match store.presence(key) {
        Presence::Fresh(record) => Ok(Some(record)),
        Presence::Absent | Presence::Missing(_) => Ok(None),
        Presence::Damaged(_) => match store.record(key) {
            Err(e) if !e.is_damage() => Err(e),
            _ => Ok(None),
        },
    }
}

/// Removes the work folders of keys whose commit was killed after its record, and so is done.
pub(crate) fn sweep_finished(store: &Store) {
    let Ok(entries) = fs::read_dir(store.layout().partials()) else {
        return;
    };
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    for key in names.filter_map(|name| name.parse::<Key>().ok()) {
        let _ = remove_finished(store, &key); // costs only space; the next one tries again
    }
}

fn remove_finished(store: &Store, key: &Key) -> Result<()> {
    if store.record(key)?.is_none() {
        return Ok(());
    }
    match lock::try_take(&store.layout().lock(key))? {
        Some(_held) if store.record(key)?.is_some() => remove_all(&store.layout().partial(key)),
        _ => Ok(()),
    }
}

impl Ticket {
    /// Clears what was left by others, under the lock: a damaged entry moves aside, outputs without a record go.
    fn new(store: &Store, key: &Key, lock: File) -> Result<Self> {
        let layout = store.layout();
        if fs::symlink_metadata(layout.record(key)).is_ok() {
            aside::now(layout, key)?;
        }
        remove_all(&layout.output_dir(key))?;
        let partial = layout.partial(key);
        let (out, state) = (partial.join("out"), partial.join("state"));
        remove_all(&out)?;
        for folder in [out.as_path(), &state, parent(&layout.log(key))] {
            fs::create_dir_all(folder).map_err(at("create", folder))?;
        }
        sweep(&state)?;
        Ok(Self {
            store: store.clone(),
            key: *key,
            partial,
            out,
            state,
            lock,
        })
    }

    /// The key to compute.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where the outputs go; empty at first.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Where checkpoints go; survives a crash, removed at commit.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The lock as standard input of a child (it reads as empty): the key is free when both of us are dead.
    pub fn lock_stdin(&self) -> Result<Stdio> {
        self.lock
            .try_clone()
            .map(Stdio::from)
            .map_err(at("share the lock of", &self.partial))
    }

    /// Makes `out` the result of the key: data first, record last. After an error the key is as before.
    pub fn commit(
        self,
        kind: &str,
        manifest: &str,
        required: &[&str],
        facts: Facts,
    ) -> Result<Record> {
        self.check_manifest(manifest)?;
        let stock = outputs::list(&self.out)?;
        self.check_required(&stock.files, required)?;
        let record = Record {
            format: RECORD_FORMAT,
            key: self.key,
            kind: kind.to_owned(),
            manifest: manifest.to_owned(),
            outputs: outputs::digest_all(&self.store, &self.out, &stock.files)?,
            facts,
        };
        self.publish(&record, &stock)?;
        Ok(record)
    }

    fn check_manifest(&self, manifest: &str) -> Result<()> {
        let found = Key::of_manifest(manifest);
        if found == self.key {
            Ok(())
        } else {
            Err(StoreError::ChangedManifest {
                key: self.key,
                found,
            })
        }
    }

    fn check_required(&self, files: &[String], required: &[&str]) -> Result<()> {
        let is_missing = |path: &&&str| {
            files
                .binary_search_by(|file| file.as_str().cmp(path))
                .is_err()
        };
        let outputs: Vec<String> = required
            .iter()
            .filter(is_missing)
            .map(ToString::to_string)
            .collect();
        if outputs.is_empty() {
            return Ok(());
        }
        Err(StoreError::MissingOutput {
            folder: self.out.clone(),
            outputs,
        })
    }

    /// All bytes are on the disk under their names before the record gets its own.
    fn publish(&self, record: &Record, stock: &Stock) -> Result<()> {
        let (outputs, path) = self.destinations();
        let written = self.partial.join("record.json");
        let bytes = record
            .encode()
            .map_err(io::Error::from)
            .map_err(at("encode", &written))?;
        fs::write(&written, &bytes).map_err(at_sized(
            "write",
            &written,
            Some(bytes.len() as u64),
        ))?;
        rename_into(&self.out, &outputs)?;
        outputs::flush(&outputs, stock, &written)?;
        rename_into(&written, &path)?;
        if self.store.is_flush_due() {
            flush_one(parent(&path))?;
        }
        self.store
            .hash_later(stock.files.iter().map(|file| outputs.join(file)));
        let _ = remove_all(&self.partial); // done is done: `sweep_finished` tries again
        Ok(())
    }

    fn destinations(&self) -> (PathBuf, PathBuf) {
        let layout = self.store.layout();
        (layout.output_dir(&self.key), layout.record(&self.key))
    }
}
