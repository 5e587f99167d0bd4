//! Leases: what a running program needs, said to every clean-up, for as long as the program lives.
//! Unaware of who cleans up, and of why a key is needed.
//!
//! A lease is a file with 32 bytes a key, the digest of these, and a kernel lock on it: when the process is gone, so is
//! the lease. It is made while the clean-up's lock is shared, so that a clean-up sees all of it or came before it.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;

use crate::atomic::create_unique;
use crate::error::at;
use crate::tree::{inside, mtime};
use crate::{Digest, Key, Result, Store, lock};

/// The largest lease that is read.
const MAX_BYTES: u64 = 1 << 30;

/// The use of a key is noted when the last note is older than this.
const NOTE_EVERY: Duration = Duration::from_hours(1);

/// While it lives, no clean-up removes its keys, whether they are committed yet or not.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    _lock: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // one that stays has no lock, and goes with the next clean-up
    }
}

impl Store {
    /// Keeps these keys from every clean-up while the lease lives. Take it before asking for presences. It also notes
    /// that the keys are in use: the folder of their outputs gets the time of now, at most once an hour, which changes
    /// neither the memo nor the index.
    pub fn lease(&self, keys: impl IntoIterator<Item = impl Borrow<Key>>) -> Result<Lease> {
        self.check_writable()?;
        let keys: Vec<Key> = keys.into_iter().map(|key| *key.borrow()).collect();
        let _shared = lock::wait_shared(&self.layout().gc_lock())?;
        let folder = self.layout().leases();
        fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        let (path, file) = create(&folder, &keys).map_err(at("write in", &folder))?;
        keys.par_iter().for_each(|key| note_use(self, key));
        Ok(Lease { path, _lock: file })
    }
}

fn create(folder: &Path, keys: &[Key]) -> io::Result<(PathBuf, File)> {
    let mut bytes: Vec<u8> = keys
        .iter()
        .flat_map(|key| *key.digest().as_bytes())
        .collect();
    let sum = Digest::of(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    let (path, mut file) = create_unique(folder, "lease-", |path| File::create_new(path))?;
    let written = file.write_all(&bytes).and_then(|()| file.lock());
    if written.is_err() {
        let _ = fs::remove_file(&path); // the first error is the one to tell
    }
    written.map(|()| (path, file))
}

/// A failure costs the key only some of its age.
fn note_use(store: &Store, key: &Key) {
    let folder = store.output_dir(key);
    let now = SystemTime::now();
    let Ok(meta) = fs::symlink_metadata(&folder) else {
        return;
    };
    let is_noted = now
        .duration_since(mtime(&meta))
        .is_ok_and(|age| age < NOTE_EVERY);
    if !is_noted && let Ok(folder) = File::open(&folder) {
        let _ = folder.set_times(FileTimes::new().set_modified(now));
    }
}

/// The keys of all living leases. `removes` dead ones, where the caller holds the clean-up's lock alone: else one may be just
/// about to live.
pub(crate) fn leased(store: &Store, removes: bool) -> Result<BTreeSet<Key>> {
    let mut keys = BTreeSet::new();
    for path in inside(&store.layout().leases()) {
        // Asked under a shared lock, which two clean-ups may have: neither takes the other for a running program.
        if lock::is_held(&path)? {
            keys.extend(or_gone(read(&path)).map_err(at("read", &path))?);
        } else if removes {
            or_gone(fs::remove_file(&path)).map_err(at("remove", &path))?;
        }
    }
    Ok(keys)
}

/// A lease may end at any moment, and its file with it.
fn or_gone<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

/// The keys of a lease. One that lives but cannot be read is an error: it may name any key.
fn read(path: &Path) -> io::Result<Vec<Key>> {
    let bytes = files::read(path, MAX_BYTES)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a damaged lease");
    let (keys, sum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    if Digest::of(keys).as_bytes() != sum {
        return Err(damaged());
    }
    let (keys, _) = keys.as_chunks::<32>();
    Ok(keys.iter().map(|key| Digest::from(*key).into()).collect())
}
