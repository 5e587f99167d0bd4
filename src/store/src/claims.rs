//! What a running program has claimed, said to all others for as long as anything that it started may live.
//! Unaware of processes: whoever ends what a program started holds a copy of its lock ([`crate::Store::run_lock`]).
//!
//! A key's own lock is held by the program alone, never by what it starts, and is free when the program is dead. What it
//! started may live a moment longer. So a program keeps two files while it has claimed anything:
//!
//! ```text
//!   locks/runs/<id>         locked by the program and its supervisor: free when nothing that it started lives
//!                           first line: who it is; then a line for each key that it has now, blank lines between
//!   locks/runs/<id>.front   locked by the program alone, so that a wait can say whether it lives
//!
//!   may I have KEY?   its lock is free, and no other run whose own lock is held has it
//! ```
//!
//! A key's line is blank before its lock is freed, so a key of a living run is one whose lock is held; the locks of a
//! dying one become free one after the other, and their order does not matter.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::at;
use crate::mutex::locked;
use crate::{Key, Result, lock};

/// How the names of runs begin.
const PREFIX: &str = "run-";

/// How the name of the file ends that only the program itself locks.
const FRONT: &str = ".front";

/// More of a command line is not shown.
const SHOWN: usize = 200;

/// The bytes of a key's line.
const LINE: usize = 65;

/// A longer file is not that of a run: a million keys at once.
const MOST: u64 = 64 << 20;

/// Who has claimed a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The number of its process, as seen where it was started.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// Its command line, for people.
    pub command: String,
    /// When it claimed its first key, in seconds since 1970.
    pub since: u64,
    /// Whether it is dead, and only something that it started lives.
    #[serde(skip)]
    pub is_gone: bool,
}

impl Holder {
    /// This process.
    fn own() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            pid: std::process::id(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            command: command_line(),
            since: since.map_or(0, |d| d.as_secs()),
            is_gone: false,
        }
    }
}

/// The words of this process, without the folder of its program; no control characters, no endless lines.
fn command_line() -> String {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().map(OsString::from);
    let words = program.into_iter().chain(words);
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    words.join(" ").chars().map(clean).take(SHOWN).collect()
}

/// The files of this process.
#[derive(Debug)]
pub(crate) struct Claims {
    path: PathBuf,
    file: File,
    _front: File,
    /// Where the first key's line begins.
    first: u64,
    slots: Mutex<Slots>,
}

/// Which lines are blank.
#[derive(Debug, Default)]
struct Slots {
    free: Vec<u64>,
    used: u64,
}

impl Claims {
    /// The front comes first: a file without one is that of a dead program.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let text = serde_json::to_string(&Holder::own()).map_err(io::Error::from);
        let line = text.map_err(at("describe a run in", folder))? + "\n";
        loop {
            let path = folder.join(new_name());
            let Some(front) = lock::try_take(&front_of(&path))? else {
                continue; // somebody looks at it just now
            };
            let Some(file) = lock::try_take(&path)? else {
                let _ = fs::remove_file(front_of(&path)); // nobody would know whose it was
                continue;
            };
            let begun = Self {
                first: line.len() as u64,
                path,
                file,
                _front: front,
                slots: Mutex::default(),
            };
            let written = begun.file.write_all_at(line.as_bytes(), 0);
            return written.map_err(at("write", &begun.path)).map(|()| begun);
        }
    }

    pub(crate) fn lock(&self) -> Result<File> {
        self.file
            .try_clone()
            .map_err(at("share the lock of", &self.path))
    }

    /// What tells it from all others.
    pub(crate) fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.unwrap_or_default() // ours is ASCII
    }

    /// Says that the key is ours; the number of its line.
    pub(crate) fn note(&self, key: &Key) -> Result<u64> {
        let mut slots = locked(&self.slots);
        let slot = slots.free.pop().unwrap_or(slots.used);
        slots.used = slots.used.max(slot + 1);
        drop(slots);
        let written = self.write(slot, &format!("{key}\n"));
        written.map(|()| slot).map_err(at("write", &self.path))
    }

    /// Says that it is not any more.
    pub(crate) fn take_back(&self, slot: u64) {
        // The line is there, so this needs no room. If it fails even so, others wait until this run ends.
        if self.write(slot, &format!("{:64}\n", "")).is_ok() {
            locked(&self.slots).free.push(slot);
        }
    }

    fn write(&self, slot: u64, line: &str) -> io::Result<()> {
        let offset = self.first + slot * LINE as u64;
        self.file.write_all_at(line.as_bytes(), offset)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // one that stays has no lock, and goes with the next claim of anybody
        let _ = fs::remove_file(front_of(&self.path));
    }
}

/// Another one each time, also on machines that share a cache.
fn new_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |d| d.as_nanos());
    format!("{PREFIX}{nanos:x}-{:x}", std::process::id())
}

/// Whether a run may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn front_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(FRONT);
    name.into()
}

/// Whether another run than `own` has the key. That it is asked under the key's lock means that the run is dead or dying, and
/// something that it started is not. `removes` what is left of runs that are over.
pub(crate) fn survives(
    folder: &Path,
    own: Option<&Claims>,
    key: &Key,
    removes: bool,
) -> Result<bool> {
    let mut is_claimed = false;
    for path in others(folder, own) {
        if lock::is_held(&path)? {
            let run = read(&path).map_err(at("read", &path))?;
            is_claimed |= run.has(key);
        } else if removes {
            let _ = fs::remove_file(&path); // another may have been first
            let _ = fs::remove_file(front_of(&path));
        }
    }
    Ok(is_claimed)
}

/// Whether a run of this name is over, with all that it started.
pub(crate) fn is_over(folder: &Path, run: &str) -> Result<bool> {
    lock::is_held(&folder.join(run)).map(|held| !held)
}

/// Who has the key, as far as it can be told.
pub(crate) fn holder(folder: &Path, own: Option<&Claims>, key: &Key) -> Option<Holder> {
    let having = |path: PathBuf| {
        let run = read(&path).ok().filter(|run| run.has(key))?;
        lock::is_held(&path).ok().filter(|held| *held)?;
        let is_gone = !lock::is_held(&front_of(&path)).ok()?;
        let holder = run.holder()?;
        Some(Holder { is_gone, ..holder })
    };
    others(folder, own).into_iter().find_map(having)
}

/// The text of another run's file.
struct Run(String);

impl Run {
    fn has(&self, key: &Key) -> bool {
        let key = key.to_string();
        self.0.lines().skip(1).any(|line| line == key)
    }

    fn holder(&self) -> Option<Holder> {
        serde_json::from_str(self.0.lines().next()?).ok()
    }
}

/// Empty for one that is over since it was listed.
fn read(path: &Path) -> io::Result<Run> {
    match files::read(path, MOST) {
        Ok(bytes) => Ok(Run(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Run(String::new())),
        Err(e) => Err(e),
    }
}

/// The files of other processes.
fn others(folder: &Path, own: Option<&Claims>) -> Vec<PathBuf> {
    let own = own.map(|claims| claims.path.as_path());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_none() && Some(path.as_path()) != own)
        .collect()
}
