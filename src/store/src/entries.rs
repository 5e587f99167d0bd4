//! What the cache holds, key by key and room by room.
//! Unaware of who needs it, and of whether its bytes are right.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use rayon::prelude::*;

use crate::tree::{measure, mtime};
use crate::{Amount, Key, Result, Store};

/// A committed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The digest of its manifest.
    pub key: Key,
    /// The kind of stage; empty where the record is damaged.
    pub kind: String,
    /// Bytes of the outputs.
    pub bytes: u64,
    /// The number of outputs.
    pub files: u64,
    /// When it was committed.
    pub committed: SystemTime,
    /// When it was last leased, to the hour; never before `committed`.
    pub used: SystemTime,
    /// Whether a pin keeps it.
    pub pinned: bool,
    /// Whether its record can be read.
    pub state: EntryState,
}

/// Whether an entry's record can be read. Its outputs are judged by [`Store::presence`] and [`Store::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// The record is as it was written.
    Whole,
    /// The record is damaged; bytes and files are those that lie there.
    DamagedRecord,
}

/// What each room of the cache takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files of committed keys, and of such whose commit did not end.
    pub outputs: Amount,
    /// Records, and the index of them.
    pub records: Amount,
    /// Work folders with checkpoints.
    pub partial: Amount,
    /// What workers said.
    pub logs: Amount,
    /// Entries that were moved aside.
    pub damaged: Amount,
    /// What a clean-up did not end deleting.
    pub trash: Amount,
    /// Locks, leases and pins.
    pub locks: Amount,
    /// Digests of files, and the last keys of pipeline files.
    pub memo: Amount,
    /// Last states of training runs.
    pub trajectories: Amount,
    /// What results hold, decoded.
    pub decoded: Amount,
}

impl Usage {
    /// All rooms together.
    pub fn total(&self) -> Amount {
        let Self {
            outputs,
            records,
            partial,
            logs,
            damaged,
            trash,
            locks,
            memo,
            trajectories,
            decoded,
        } = *self;
        let all = [
            outputs,
            records,
            partial,
            logs,
            damaged,
            trash,
            locks,
            memo,
            trajectories,
            decoded,
        ];
        all.into_iter().sum()
    }
}

impl Store {
    /// All committed keys, in order of the keys.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let pins = self.all_pins()?;
        let entry = |key: &Key| entry(self, key, pins.contains_key(key));
        Ok(self.keys()?.par_iter().filter_map(entry).collect())
    }

    /// Files and bytes of each room, as they lie there.
    pub fn usage(&self) -> Usage {
        let layout = self.layout();
        let rooms = |names: &[&str]| -> Amount {
            let amount = |name: &&str| measure(&layout.room(name)).amount;
            names.par_iter().map(amount).sum()
        };
        Usage {
            outputs: rooms(&["outputs"]),
            records: rooms(&["records", "records.index"]),
            partial: rooms(&["partial", "spare"]),
            logs: rooms(&["logs"]),
            damaged: rooms(&["damaged"]),
            trash: rooms(&["trash"]),
            locks: rooms(&["locks", "leases", "pins"]),
            memo: rooms(&["memo", "last"]),
            trajectories: rooms(&["trajectories"]),
            decoded: rooms(&["decoded"]),
        }
    }
}

/// `None` when the key was removed meanwhile.
fn entry(store: &Store, key: &Key, pinned: bool) -> Option<Entry> {
    let (committed, used) = times(store, key)?;
    let (kind, amount, state) = if let Ok(record) = store.record(key) {
        let record = record?;
        (record.kind.clone(), record.amount(), EntryState::Whole)
    } else {
        let amount = measure(&store.output_dir(key)).amount;
        (String::new(), amount, EntryState::DamagedRecord)
    };
    Some(Entry {
        key: *key,
        kind,
        bytes: amount.bytes,
        files: amount.files,
        committed,
        used,
        pinned,
        state,
    })
}

/// When a key was committed and last used.
pub(crate) fn times(store: &Store, key: &Key) -> Option<(SystemTime, SystemTime)> {
    let time = |path: &Path| fs::symlink_metadata(path).map(|meta| mtime(&meta)).ok();
    let committed = time(&store.layout().record(key))?;
    let used = time(&store.output_dir(key)).map_or(committed, |used| used.max(committed));
    Some((committed, used))
}
