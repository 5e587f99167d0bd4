//! What lies between a stage's last byte and its record: list, hash, rename the outputs, flush, rename the record.
//! Unaware of who flushes, and of whether several share it.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::atomic::{parent, remove_all, rename_into};
use crate::error::{at, at_sized};
use crate::folder_pool::is_blank;
use crate::hash::Hashed;
use crate::outputs::{Stock, files_in};
use crate::record::PLAIN;
use crate::seal::{Seal, folders_of, stat_of};
use crate::stat::Stat;
use crate::{Facts, Key, Made, Output, OutputKind, Record, Result, StoreError, Ticket, outputs};

/// A key whose outputs are in place and whose record is written, but has not got its name: not a result yet.
/// It holds the key's lock. Dropped, it leaves outputs without a record, which the next ticket clears.
#[derive(Debug)]
pub(crate) struct Staged {
    ticket: Ticket,
    outputs: PathBuf,
    /// Relative paths of the folders, `""` for the outermost.
    folders: Vec<String>,
    written: PathBuf,
    path: PathBuf,
    listed: Vec<Output>,
    made: Made,
    /// Checkpoints remain until the record has its name.
    has_state: bool,
}

/// What lies in a ticket's folder.
struct Found {
    hashed: Vec<(Output, Hashed)>,
    /// Relative paths of the folders, `""` for the outermost.
    folders: Vec<String>,
    /// The stats of the folders below the outermost.
    stats: Vec<(String, Stat)>,
    /// The stat of the outermost, before it was listed.
    outermost: Option<Stat>,
}

impl Found {
    /// Checks the ticket, lists and hashes.
    fn of(ticket: &Ticket, manifest: &str, required: &[&str]) -> Result<Self> {
        ticket.check_held()?;
        check_manifest(ticket, manifest)?;
        let outermost = stat_of(&ticket.out);
        let stock = outputs::list(&ticket.out)?;
        check_required(ticket, &stock, required)?;
        Ok(Self {
            stats: folders_of(&ticket.out, &stock)?,
            folders: stock.folders.clone(),
            hashed: ticket.store.hash_all(&ticket.out, stock)?,
            outermost,
        })
    }

    fn outputs(&self) -> Vec<Output> {
        self.hashed
            .iter()
            .map(|(output, _)| output.clone())
            .collect()
    }

    /// What format 1 does not say.
    fn forget_programs(&mut self) {
        for (output, _) in &mut self.hashed {
            if output.kind == OutputKind::Executable {
                output.kind = OutputKind::File;
            }
        }
    }
}

impl Ticket {
    /// Makes `out` the result of the key: data first, record last. After an error the key is as before.
    /// Returns when all is on the disk; a [`crate::GroupCommit`] lets many commits share that wait.
    pub fn commit(
        self,
        kind: &str,
        manifest: &str,
        required: &[&str],
        facts: Facts,
    ) -> Result<Record> {
        let (record, staged) = Staged::new(self, kind, manifest, required, facts)?;
        staged.commit()?;
        Ok(record)
    }
}

impl Staged {
    /// Checks, lists and hashes the outputs, and puts them in their place.
    pub(crate) fn new(
        ticket: Ticket,
        kind: &str,
        manifest: &str,
        required: &[&str],
        facts: Facts,
    ) -> Result<(Record, Self)> {
        let found = Found::of(&ticket, manifest, required)?;
        let outputs = found.outputs();
        let record = Record {
            format: Record::format_for(&outputs),
            key: ticket.key,
            kind: kind.to_owned(),
            manifest: manifest.to_owned(),
            outputs,
            facts,
        };
        let staged = Self::stage(ticket, found, &record)?;
        Ok((record, staged))
    }

    /// The same where a record says what has to lie there.
    pub(crate) fn copy(ticket: Ticket, record: &Record) -> Result<Self> {
        let mut found = Found::of(&ticket, &record.manifest, &[])?;
        if record.format == PLAIN {
            found.forget_programs();
        }
        let outputs = found.outputs();
        if outputs == record.outputs {
            return Self::stage(ticket, found, record);
        }
        let mut differing = outputs.iter().zip(&record.outputs).filter(|(a, b)| a != b);
        let path = differing.next().map_or("", |(_, wanted)| &*wanted.path);
        Err(StoreError::DamagedOutput {
            path: ticket.out.join(path),
        })
    }

    fn stage(ticket: Ticket, found: Found, record: &Record) -> Result<Self> {
        let folder = ticket.store.output_dir(&ticket.key);
        let staged = Self::put(ticket, found.folders, record)?;
        // Its new name has given it another time of change, but names in it none of the last write.
        let outermost = stat_of(&folder)
            .filter(|now| found.outermost.is_some_and(|then| then.mtime == now.mtime));
        let seal = Seal::new(folder, found.hashed, found.stats, outermost);
        let (store, key) = (&staged.ticket.store, staged.ticket.key);
        store.remember_seal(key, seal);
        store.put_pending(key, staged.made.clone());
        Ok(staged)
    }

    /// Renames the outputs and writes the record beside its name.
    fn put(ticket: Ticket, folders: Vec<String>, record: &Record) -> Result<Self> {
        ticket.store.say_format(record.format)?;
        let (layout, key) = (ticket.store.layout(), &ticket.key);
        let (outputs, written, path) = (
            layout.output_dir(key),
            layout.new_record(key),
            layout.record(key),
        );
        write_record(record, &written)?;
        rename_into(&ticket.out, &outputs)?;
        let mut staged = Self {
            ticket,
            outputs,
            folders,
            written,
            path,
            listed: record.outputs.clone(),
            made: Made::of(record),
            has_state: true,
        };
        if is_blank(&staged.ticket.partial) {
            staged.has_state = staged.spare().is_err();
        }
        Ok(staged)
    }

    /// Keeps the blank work folder for another ticket. A failure costs only space: `sweep_finished` tries again.
    fn spare(&self) -> Result<()> {
        let store = &self.ticket.store;
        let spare = store.layout().spares().join(self.ticket.key.to_string());
        store.spares().keep(&self.ticket.partial, spare)
    }

    pub(crate) fn key(&self) -> Key {
        self.ticket.key
    }

    /// The folder of the record's name.
    pub(crate) fn record_folder(&self) -> PathBuf {
        parent(&self.path).to_path_buf()
    }

    /// All that must be on the disk before the record gets its name: files, folders, their own name, the record.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let folders = self.folders.iter().map(|path| self.outputs.join(path));
        let mut all: Vec<PathBuf> = files_in(&self.outputs, &self.listed)
            .chain(folders)
            .collect();
        all.extend([parent(&self.outputs).to_path_buf(), self.written.clone()]);
        all
    }

    /// Flushes and publishes this one alone.
    pub(crate) fn commit(self) -> Result<()> {
        let (store, folder) = (self.ticket.store.clone(), self.record_folder());
        store.disk().flush_group(self.paths())?;
        self.publish()?;
        store.flush_names([folder], false)
    }

    /// Gives the record its name: this is the commit. What [`Staged::paths`] lists must be on the disk.
    pub(crate) fn publish(self) -> Result<()> {
        fs::rename(&self.written, &self.path).map_err(at("rename to", &self.path))?;
        let files = files_in(&self.outputs, &self.listed);
        self.ticket.store.hash_later(files);
        self.ticket.store.index_later(self.ticket.key);
        if let Ok(meta) = fs::symlink_metadata(&self.path) {
            let (stat, listed) = (Stat::of(&meta), self.listed.into());
            self.ticket
                .store
                .remember(self.ticket.key, stat, listed, self.made);
        }
        self.ticket.store.end_pending(&self.ticket.key);
        if self.has_state {
            let _ = remove_all(&self.ticket.partial); // costs only space: `sweep_finished` tries again
        }
        Ok(())
    }

    /// Takes the outputs back after a failed flush: their bytes may not be what was hashed.
    pub(crate) fn withdraw(self) {
        self.ticket.store.end_pending(&self.ticket.key);
        self.ticket.store.forget_seal(&self.ticket.key);
        let _ = fs::remove_file(&self.written); // without a record nothing counts; the next ticket clears
        let _ = remove_all(&self.outputs);
    }
}

/// The folder is nearly always there.
fn write_record(record: &Record, path: &PathBuf) -> Result<()> {
    let encoded = record.encode().map_err(io::Error::from);
    let bytes = encoded.map_err(at("encode", path))?;
    let written = match fs::write(path, &bytes) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let folder = parent(path);
            fs::create_dir_all(folder).map_err(at("create", folder))?;
            fs::write(path, &bytes)
        }
        other => other,
    };
    if written.is_err() {
        let _ = fs::remove_file(path); // gives a full disk its room back
    }
    written.map_err(at_sized("write", path, Some(bytes.len() as u64)))
}

fn check_manifest(ticket: &Ticket, manifest: &str) -> Result<()> {
    let (key, found) = (ticket.key, Key::of_manifest(manifest));
    if found == key {
        Ok(())
    } else {
        Err(StoreError::ChangedManifest { key, found })
    }
}

fn check_required(ticket: &Ticket, stock: &Stock, required: &[&str]) -> Result<()> {
    let missing = required.iter().filter(|path| !stock.has_file(path));
    let outputs: Vec<String> = missing.map(ToString::to_string).collect();
    if outputs.is_empty() {
        return Ok(());
    }
    let folder = ticket.out.clone();
    Err(StoreError::MissingOutput { folder, outputs })
}
