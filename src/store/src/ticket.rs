//! The right to compute one key: a kernel lock and a folder to write in; only `commit` makes it a result.
//! Unaware of what is computed, and by whom. The lock is of this process alone: no child ever has it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::atomic::{Flush, parent, remove_all, replace, sweep};
use crate::claims::Claims;
use crate::error::at;
use crate::held::{self, Held};
use crate::mutex::locked;
use crate::quarantine::UNFINISHED;
use crate::tree::inside;
use crate::{
    Digest, Key, Record, Result, Scratch, Status, Store, StoreError, lock, quarantine, summed,
};

/// The file beside `state` that says from which inputs its checkpoints are made.
const STATE_OF: &str = "inputs.json";

/// What became of the checkpoints of an earlier try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// They stay, where there are any.
    Kept,
    /// They were made from other inputs, and are gone.
    OfOtherInputs,
    /// Nobody knows any more from which inputs they were made, and they are gone.
    OfUnknownInputs,
}

/// The folder beside `out` for copies of inputs.
const OWN_INPUTS: &str = "inputs";

/// More than such a note takes.
const NOTE_BYTES: u64 = 4096;

/// The folder of outputs in the making; each try has one of its own where what an earlier one started may outlive it.
const OUT: &str = "out";

/// The folder of temporary files of a try that has one of its own.
const TEMPORARY: &str = "tmp";

/// The answer to who may compute a key.
#[derive(Debug)]
pub enum Claim {
    /// You may.
    Ready(Ticket),
    /// Another process does, or what a killed one started still lives, or a [`crate::GroupCommit`] has still to publish
    /// it. [`Store::holder`] says who. Ask again: while this process starts a child, that child has all our locks for a
    /// moment.
    Busy,
    /// It is done.
    Done(Record),
}

/// The right to compute a key. Dropped without a commit it leaves no result; `state` stays for the next one.
#[derive(Debug)]
pub struct Ticket {
    pub(crate) store: Store,
    pub(crate) key: Key,
    pub(crate) partial: PathBuf,
    pub(crate) out: PathBuf,
    state: PathBuf,
    held: Mutex<Option<Held>>,
    /// Where the result lies that this one is to replace.
    replaces: Option<PathBuf>,
    /// Whether no earlier try has left anything.
    is_blank: bool,
}

/// What another process needs to go on with a ticket; a file of JSON carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The key to compute.
    pub key: Key,
    /// The name of the try's folder of outputs.
    pub out: String,
}

impl Store {
    /// The right to compute a key anew, whether or not it is done, unless another process has it; never [`Claim::Done`]. A
    /// whole result comes back where the ticket ends without a commit.
    pub fn ticket_anew(&self, key: &Key) -> Result<Claim> {
        self.check_writable()?;
        claim_anew(self, key)
    }

    /// The right to compute a key, unless another process has it or it is done.
    pub fn ticket(&self, key: &Key) -> Result<Claim> {
        self.check_writable()?;
        claim(self, key)
    }

    /// The right to compute a key that another process had and handed over, with its folders as they are.
    /// [`StoreError::Absent`] where another try has begun meanwhile.
    pub fn take_over(&self, handover: &Handover) -> Result<Claim> {
        self.check_writable()?;
        take_over(self, handover)
    }

    /// The name of the folder for outputs in the making. It is the same each time where nothing outlives its program:
    /// some programs write the path of their folder into what they make.
    fn attempt(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if !self.has_separate_tries() {
            return OUT.to_owned();
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let run = self.begun_claims().map_or("", Claims::name);
        format!("{OUT}-{run}-{n}")
    }
}

/// Takes over what was handed over, as it is. [`StoreError::Absent`] where another try has begun meanwhile.
fn take_over(store: &Store, handover: &Handover) -> Result<Claim> {
    let (key, layout) = (&handover.key, store.layout());
    if let Some(record) = done(store, key)? {
        return Ok(Claim::Done(record));
    }
    let Some(held) = held::try_take(store, key)? else {
        return Ok(Claim::Busy);
    };
    let partial = layout.partial(key);
    let name = Path::new(&handover.out).file_name();
    let is_try = handover.out.starts_with(OUT) && name.is_some_and(|n| *n == *handover.out);
    let out = partial.join(&handover.out);
    if !is_try || !out.is_dir() {
        return Err(StoreError::Absent { key: *key });
    }
    clear_results(store, key)?;
    Ok(Claim::Ready(Ticket {
        store: store.clone(),
        key: *key,
        state: partial.join("state"),
        out,
        partial,
        held: Mutex::new(Some(held)),
        replaces: None,
        is_blank: false,
    }))
}

/// A damaged entry moves aside, outputs without a record go. Under the key's lock.
fn clear_results(store: &Store, key: &Key) -> Result<()> {
    let layout = store.layout();
    if fs::symlink_metadata(layout.record(key)).is_ok() {
        quarantine::now(layout, key)?;
    }
    remove_all(&layout.output_dir(key))
}

/// Looks, locks, and looks again: the key may have been committed between.
fn claim(store: &Store, key: &Key) -> Result<Claim> {
    if let Some(record) = done(store, key)? {
        return Ok(Claim::Done(record));
    }
    let Some(held) = held::try_take(store, key)? else {
        return Ok(Claim::Busy);
    };
    match done(store, key)? {
        Some(record) => Ok(Claim::Done(record)),
        None => Ticket::new(store, key, held, None).map(Claim::Ready),
    }
}

/// As [`claim`], of a key that may be done. What is whole is kept until the new result is there.
fn claim_anew(store: &Store, key: &Key) -> Result<Claim> {
    let Some(held) = held::take_soon(store, key)? else {
        return Ok(Claim::Busy);
    };
    let is_done = done(store, key)?.is_some();
    let replaces = is_done.then(|| quarantine::replace(store.layout(), key));
    let replaces = replaces.transpose()?;
    store.forget_seal(key);
    Ticket::new(store, key, held, replaces).map(Claim::Ready)
}

/// The record of a fresh key. One that cannot be read for another reason than damage is an error.
fn done(store: &Store, key: &Key) -> Result<Option<Record>> {
    let is_fresh = match store.presence(key) {
        Status::Absent | Status::Missing(_) => return Ok(None),
        Status::Fresh(_) => true,
        Status::Damaged(_) => false,
    };
    match store.record(key) {
        Err(e) if e.is_damage() => Ok(None),
        Ok(record) => Ok(record.filter(|_| is_fresh)),
        other => other,
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
    if store.layout().partial(key).join(UNFINISHED).exists() {
        return Ok(());
    }
    match lock::try_take(&store.layout().lock(key))? {
        Some(_held) if store.record(key)?.is_some() => remove_all(&store.layout().partial(key)),
        _ => Ok(()),
    }
}

impl Drop for Ticket {
    /// Without a commit the result comes back that this one was to replace; after one it is no longer needed.
    fn drop(&mut self) {
        let is_held = locked(&self.held).is_some();
        if let Some(folder) = self.replaces.take().filter(|_| is_held) {
            // Where that fails it lies there whole, and the next run tries again.
            let _ = quarantine::put_back(self.store.layout(), &self.key, &folder);
        }
    }
}

impl Ticket {
    /// Clears what was left by others.
    fn new(store: &Store, key: &Key, held: Held, replaces: Option<PathBuf>) -> Result<Self> {
        let layout = store.layout();
        clear_results(store, key)?;
        let partial = layout.partial(key);
        let mut ticket = Self {
            store: store.clone(),
            key: *key,
            out: partial.join(store.attempt()),
            state: partial.join("state"),
            partial,
            held: Mutex::new(Some(held)),
            replaces,
            is_blank: false,
        };
        ticket.is_blank = ticket.make_folders()?;
        if !ticket.is_blank {
            // This try ends by itself: what an earlier one said of its end is no longer so.
            let _ = fs::remove_file(ticket.partial.join(UNFINISHED)); // mostly there is none
        }
        let logs = layout.log(key);
        fs::create_dir_all(parent(&logs)).map_err(at("create", parent(&logs)))?;
        Ok(ticket)
    }

    /// Frees the key and leaves the folders as they are, for whoever takes them over: another process, or another machine
    /// on the same disk. This ticket commits nothing any more.
    pub fn hand_over(&self) -> Handover {
        drop(locked(&self.held).take());
        let try_name = self.out.file_name().unwrap_or_default();
        Handover {
            key: self.key,
            out: try_name.to_string_lossy().into_owned(),
        }
    }

    /// An error for a ticket that was handed over.
    pub(crate) fn check_held(&self) -> Result<()> {
        match &*locked(&self.held) {
            Some(_) => Ok(()),
            None => Err(StoreError::Busy { key: self.key }),
        }
    }

    /// An empty `out`, and `state` without half-written files. Whether it was a spare folder, of which is known that it
    /// holds nothing.
    fn make_folders(&self) -> Result<bool> {
        let is_blank = self.store.spares().take(&self.partial)?;
        if !is_blank {
            remove_all(&self.partial.join(OWN_INPUTS))?;
            self.remove_tries()?;
            match sweep(&self.state) {
                Err(e) if !e.is_not_found() => return Err(e),
                _ => {}
            }
        }
        let made = fs::create_dir_all(&self.out).map_err(at("create", &self.out));
        made.map(|()| is_blank)
    }

    /// Removes what earlier tries left. One that something still writes into may stay: this try has a folder of its own
    /// then, and the next one removes it.
    fn remove_tries(&self) -> Result<()> {
        let is_try = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            name.starts_with(OUT.as_bytes()) || name.starts_with(TEMPORARY.as_bytes())
        };
        for old in inside(&self.partial).into_iter().filter(is_try) {
            match remove_all(&old) {
                Err(_) if old != self.out => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// The key to compute.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where the outputs go; empty at first.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Where checkpoints go; survives a crash, removed at commit. Made when it is asked for: where that fails, the
    /// first write to it says why.
    pub fn state(&self) -> &Path {
        let _ = fs::create_dir(&self.state);
        &self.state
    }

    /// Whether programs may have a [`Ticket::scratch`]. Not where what an earlier try started may still write into one:
    /// [`Ticket::temporary`] is this try's alone.
    pub fn has_scratch(&self) -> bool {
        self.this_try().is_none()
    }

    /// A new folder for the temporary files of a program, and after it of others of this run.
    pub fn scratch(&self) -> Result<Scratch> {
        Scratch::new(&self.store)
    }

    /// Where a program puts its temporary files where it has no [`Ticket::scratch`]; made when it is asked for.
    pub fn temporary(&self) -> PathBuf {
        let this_try = self.this_try().unwrap_or_default();
        let folder = self.partial.join(format!("{TEMPORARY}{this_try}"));
        let _ = fs::create_dir(&folder); // the first write to it says why
        folder
    }

    /// What tells the folders of this try from those of others, where each has its own.
    fn this_try(&self) -> Option<String> {
        let name = self.out.file_name().unwrap_or_default().to_string_lossy();
        let this_try = name.strip_prefix(OUT).filter(|rest| !rest.is_empty());
        this_try.map(str::to_owned)
    }

    /// Keeps the checkpoints for a stage that reads inputs with this fingerprint. Those that were made from other files,
    /// or from files of which nobody knows, go: the bytes behind them may have been others.
    pub fn keep_state_for(&self, inputs: &Digest) -> Result<Checkpoints> {
        let note = self.partial.join(STATE_OF);
        let noted = files::read(&note, NOTE_BYTES).ok();
        let noted = noted.and_then(|bytes| summed::decode::<Digest>(&bytes).ok());
        if noted == Some(*inputs) {
            return Ok(Checkpoints::Kept);
        }
        let had_any = self.has_checkpoints();
        remove_all(&self.state)?;
        let bytes = summed::encode(inputs).map_err(io::Error::from);
        replace(&note, &bytes.map_err(at("encode", &note))?, Flush::Yes)?;
        Ok(match noted {
            _ if !had_any => Checkpoints::Kept,
            Some(_) => Checkpoints::OfOtherInputs,
            None => Checkpoints::OfUnknownInputs,
        })
    }

    /// Whether no earlier try can have left anything: there was nothing when this one began.
    pub fn is_first(&self) -> bool {
        self.is_blank
    }

    /// Removes the checkpoints: what they were made from is not what the key says.
    pub fn clear_state(&self) -> Result<()> {
        // An empty folder costs less to keep than to remove and to make.
        let is_empty = fs::read_dir(&self.state).is_ok_and(|mut inside| inside.next().is_none());
        if !is_empty {
            remove_all(&self.state)?;
        }
        let _ = fs::remove_file(self.partial.join(STATE_OF)); // without checkpoints it says nothing
        Ok(())
    }

    /// Whether an earlier try left more than what it was told to do.
    fn has_checkpoints(&self) -> bool {
        let entries = fs::read_dir(&self.state).into_iter().flatten().flatten();
        let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.iter().any(|name| name != "job.json")
    }

    /// Where copies of inputs go that this stage reads alone; gone when the ticket is.
    pub fn own_inputs(&self) -> PathBuf {
        self.partial.join(OWN_INPUTS)
    }

    /// Takes something out of `out` that is no output. It goes to the trash, which is emptied when the program is done:
    /// to delete it now takes longer, and ext4 then passes over its inode for a while with each new file.
    pub fn discard(&self, path: &Path) -> Result<()> {
        self.store.discard(path)
    }

    /// Takes everything out of `out`, as at first.
    pub fn clear_out(&self) -> Result<()> {
        for path in inside(&self.out) {
            self.discard(&path)?;
        }
        Ok(())
    }
}
