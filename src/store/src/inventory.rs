//! Lists all that a clean-up may remove, with its size and the time of its last use.
//! Unaware of what is to be kept.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::entries::Entry;
use crate::layout::NEW_RECORD;
use crate::quarantine::is_to_come_back;
use crate::tree::{inside, inside_shards, measure, name};
use crate::{Amount, Key, Result, Store};

/// What a thing in the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// A committed key: record, outputs and log.
    Entry,
    /// Outputs or a record of a commit that did not end.
    Unfinished,
    /// A work folder, with checkpoints perhaps.
    Partial,
    /// The log of a key that has no record.
    Log,
    /// The lock of a key of which there is nothing else.
    Lock,
    /// A state of a training run.
    State,
    /// What results hold, decoded.
    Decoded,
    /// An entry that was moved aside.
    Damaged,
    /// What another clean-up did not end deleting, and empty work folders.
    Trash,
}

/// Something that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// What it is.
    pub room: Room,
    /// Its key; that of the trajectory for a state.
    pub key: Option<Key>,
    /// The kind of stage, where known.
    pub kind: String,
    /// Its files and their bytes.
    pub amount: Amount,
    /// When it was last written or used.
    pub used: SystemTime,
    /// Where it lies; the record for an entry.
    pub path: PathBuf,
}

/// All things, rooms in order, keys in order within.
pub(crate) fn inventory(store: &Store) -> Result<Vec<Thing>> {
    let layout = store.layout();
    let mut things: Vec<Thing> = store
        .entries()?
        .into_iter()
        .map(|entry| of_entry(store, entry))
        .collect();
    let mut add = |room, paths: Vec<PathBuf>| {
        things.extend(paths.iter().filter_map(|path| thing(store, room, path)));
    };
    add(Room::Unfinished, inside_shards(&layout.room("outputs")));
    add(Room::Unfinished, inside_shards(&layout.room("records")));
    add(Room::Partial, inside(&layout.partials()));
    add(Room::Log, inside_shards(&layout.room("logs")));
    let trajectories = inside_shards(&layout.room("trajectories"));
    add(
        Room::State,
        trajectories.iter().flat_map(|t| inside(t)).collect(),
    );
    add(Room::Decoded, inside_shards(&layout.decoded()));
    add(Room::Damaged, inside(&layout.all_damaged()));
    add(Room::Trash, inside(&layout.trash()));
    add(Room::Trash, inside(&layout.spares()));
    add(Room::Lock, inside_shards(&layout.room("locks")));
    Ok(things)
}

fn of_entry(store: &Store, entry: Entry) -> Thing {
    let log = measure(&store.log_path(&entry.key)).amount;
    let path = store.layout().record(&entry.key);
    let record = measure(&path).amount;
    let outputs = Amount {
        files: entry.files,
        bytes: entry.bytes,
    };
    Thing {
        room: Room::Entry,
        key: Some(entry.key),
        kind: entry.kind,
        amount: [outputs, log, record].into_iter().sum(),
        used: entry.used,
        path,
    }
}

/// What lies at a path, unless it belongs to a committed key, is in use by name, or is a stranger's.
fn thing(store: &Store, room: Room, path: &Path) -> Option<Thing> {
    let key = match room {
        Room::Decoded | Room::Damaged | Room::Trash => None,
        _ => Some(key_of(room, path)?),
    };
    if key.is_some_and(|key| belongs_elsewhere(store, room, &key)) {
        return None;
    }
    if room == Room::Damaged && is_to_come_back(path) {
        return None;
    }
    let tree = measure(path);
    Some(Thing {
        room,
        key,
        kind: String::new(),
        amount: tree.amount,
        used: tree.newest,
        path: path.to_path_buf(),
    })
}

fn key_of(room: Room, path: &Path) -> Option<Key> {
    let name_of = |path: &Path, ending: &str| name(path).strip_suffix(ending)?.parse().ok();
    match room {
        Room::Unfinished if path.extension().is_some() => name_of(path, NEW_RECORD),
        Room::Log => name_of(path, ".log"),
        Room::State => name_of(path.parent()?, ""),
        _ => name_of(path, ""),
    }
}

/// Outputs and logs go with their record, locks with whatever there is of their key.
fn belongs_elsewhere(store: &Store, room: Room, key: &Key) -> bool {
    let layout = store.layout();
    let has_record = || layout.record(key).exists();
    match room {
        Room::Unfinished | Room::Log => has_record(),
        Room::Lock => has_record() || layout.partial(key).exists() || layout.log(key).exists(),
        _ => false,
    }
}
