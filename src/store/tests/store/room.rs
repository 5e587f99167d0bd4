//! A cache in a folder of its own, with short ways to claim, write and commit.
//! Unaware of what a test wants to know.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use store::{Claim, Facts, Key, Record, Status, Store, Ticket};
use tempfile::TempDir;

pub struct Room {
    pub folder: TempDir,
    pub store: Store,
}

impl Room {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache")).unwrap();
        Self { folder, store }
    }

    /// As another process would see it.
    pub fn reopened(&self) -> Store {
        Store::open(self.store.root()).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn commit(&self, manifest: &str, files: &[(&str, &str)]) -> Record {
        let ticket = ready(&self.store, &key(manifest));
        fill(ticket.out(), files);
        ticket.commit("test", manifest, &[], Facts::new()).unwrap()
    }

    pub fn output(&self, manifest: &str, path: &str) -> PathBuf {
        self.store.output_dir(&key(manifest)).join(path)
    }

    pub fn record_path(&self, manifest: &str) -> PathBuf {
        let key = key(manifest);
        self.store
            .root()
            .join(format!("records/{key:.2}/{key}.json"))
    }

    pub fn partial(&self, manifest: &str) -> PathBuf {
        self.store.root().join(format!("partial/{}", key(manifest)))
    }
}

pub fn key(manifest: &str) -> Key {
    Key::of_manifest(manifest)
}

pub fn fill(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The ticket of a key that is free.
pub fn ready(store: &Store, key: &Key) -> Ticket {
    claimed(|| store.ticket(key))
}

/// The ticket that is asked for, of a key that is free. Waits: a child that another test starts has our locks from its fork
/// to its exec.
pub fn claimed(ask: impl Fn() -> store::Result<Claim>) -> Ticket {
    let start = Instant::now();
    loop {
        match ask().unwrap() {
            Claim::Ready(ticket) => return ticket,
            Claim::Busy if start.elapsed() < Duration::from_mins(3) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => panic!("no ticket: {other:?}"),
        }
    }
}

pub fn is_fresh(presence: &Status) -> bool {
    matches!(presence, Status::Fresh(_))
}

pub fn damaged(paths: &[&str]) -> Status {
    Status::Damaged(paths.iter().map(ToString::to_string).collect())
}

pub fn missing(paths: &[&str]) -> Status {
    Status::Missing(paths.iter().map(ToString::to_string).collect())
}

/// The number of entries of a folder; none when it is not there.
pub fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
