//! Moves what the cache holds of a key out of the way, outputs first: a crash between leaves a record that misses them.
//! Unaware of what was wrong with it. Deletes nothing.
//!
//! A whole result that is only wanted anew is moved too, with a note beside it until the new one is there:
//!
//! ```text
//!   replace ──> damaged/<key>-<n>/replacing ── the new result committed ──> .../replaced
//!                                         └── failed, interrupted, killed ──> put back
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::{remove_all, rename_into};
use crate::error::at;
use crate::layout::Layout;
use crate::tree::{inside, name};
use crate::{Key, Result, Store, StoreError, held};

impl Store {
    /// Moves outputs and record of a key to `damaged/<key>-<n>`, so that it is computed again. Deletes nothing.
    pub fn quarantine(&self, key: &Key) -> Result<PathBuf> {
        let moved = self.quarantine_if(key, || true)?;
        moved.ok_or(StoreError::Absent { key: *key })
    }

    /// As [`Store::quarantine`], if the result is `broken` when nobody else can change it any more: since somebody looked at
    /// it, another run may have made it anew. `None` where it stays.
    pub fn quarantine_if(
        &self,
        key: &Key,
        broken: impl FnOnce() -> bool,
    ) -> Result<Option<PathBuf>> {
        self.check_writable()?;
        let moved = match held::take_soon(self, key)? {
            Some(_held) if broken() => Some(now(self.layout(), key)?),
            Some(_held) => None,
            None => return Err(StoreError::Busy { key: *key }),
        };
        if moved.is_some() {
            self.forget_seal(key);
        }
        Ok(moved)
    }

    /// Whether a result of this key lies among those that were found damaged and moved aside.
    pub fn was_damaged(&self, key: &Key) -> bool {
        holds_damaged(self.layout(), key)
    }
}

/// The note beside a result that is to be replaced, until the other is there.
const REPLACING: &str = "replacing";

/// The same note from then on.
const REPLACED: &str = "replaced";

/// Moves a whole result to where [`put_back`] finds it; the caller holds the key's lock.
pub(crate) fn replace(layout: &Layout, key: &Key) -> Result<PathBuf> {
    let folder = new_folder(layout, key)?;
    let note = folder.join(REPLACING);
    fs::write(&note, "").map_err(at("write", &note))?;
    let moved = rename_if_there(&layout.output_dir(key), &folder.join("outputs"))
        .and_then(|()| rename_if_there(&layout.record(key), &folder.join("record.json")));
    if moved.is_err() {
        put_back(layout, key, &folder)?;
    }
    moved.map(|()| folder)
}

/// Puts a result back in whose place no other has come; the caller holds the key's lock. Each step may be the last one
/// before a crash: the next call goes on.
pub(crate) fn put_back(layout: &Layout, key: &Key, folder: &Path) -> Result<()> {
    let (note, outputs) = (folder.join(REPLACING), folder.join("outputs"));
    let record = folder.join("record.json");
    if !is_there(&note) {
        return Ok(());
    }
    // A try that was killed between the two moves has left its record in place, which tells nothing alone.
    let other = is_there(&record) || is_there(&layout.output_dir(key));
    if is_there(&layout.record(key)) && other {
        return rename_if_there(&note, &folder.join(REPLACED));
    }
    let partial = layout.partial(key);
    if !inside(&partial.join("state")).is_empty() {
        let note = partial.join(UNFINISHED);
        fs::write(&note, "").map_err(at("write", &note))?;
    }
    if is_there(&outputs) {
        remove_all(&layout.output_dir(key))?;
        rename_into(&outputs, &layout.output_dir(key))?;
    }
    if is_there(&record) {
        rename_into(&record, &layout.record(key))?;
    }
    remove_all(folder)
}

/// The note in the folder of a try that ended without a result while an earlier one is stored: its checkpoints stay for
/// the next try.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Puts back what runs that were killed wanted anew.
pub(crate) fn put_all_back(store: &Store) {
    for folder in inside(&store.layout().all_damaged()) {
        if !is_to_come_back(&folder) {
            continue;
        }
        let key = name(&folder).rsplit_once('-').map(|(key, _)| key.parse());
        if let Some(Ok(key)) = key
            && let Ok(Some(_held)) = held::try_take(store, &key)
        {
            let _ = put_back(store.layout(), &key, &folder); // it lies there whole; the next one tries again
        }
    }
}

/// Whether what lies in a folder here is a good result in whose place no other has come yet.
pub(crate) fn is_to_come_back(folder: &Path) -> bool {
    is_there(&folder.join(REPLACING))
}

/// Whether a result of this key lies here that was found damaged.
fn holds_damaged(layout: &Layout, key: &Key) -> bool {
    let folders = (1..=u32::MAX).map(|n| layout.damaged(key, n));
    let mut folders = folders.take_while(|folder| is_there(folder));
    folders.any(|folder| !is_there(&folder.join(REPLACED)) && !is_to_come_back(&folder))
}

/// Moves outputs and record; the caller holds the key's lock.
pub(crate) fn now(layout: &Layout, key: &Key) -> Result<PathBuf> {
    let (outputs, record) = (layout.output_dir(key), layout.record(key));
    if !is_there(&outputs) && !is_there(&record) {
        return Err(StoreError::Absent { key: *key });
    }
    let folder = new_folder(layout, key)?;
    rename_if_there(&outputs, &folder.join("outputs"))?;
    rename_if_there(&record, &folder.join("record.json"))?;
    Ok(folder)
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The first `damaged/<key>-<n>` that is free.
pub(crate) fn new_folder(layout: &Layout, key: &Key) -> Result<PathBuf> {
    let all = layout.all_damaged();
    fs::create_dir_all(&all).map_err(at("create", &all))?;
    for n in 1..=u32::MAX {
        let folder = layout.damaged(key, n);
        match fs::create_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => {
                return other
                    .map(|()| folder.clone())
                    .map_err(at("create", &folder));
            }
        }
    }
    Err(StoreError::Busy { key: *key })
}

fn rename_if_there(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(at("move aside", from)),
    }
}
