//! Moves what the cache holds of a key out of the way, outputs first: a crash between leaves a record that misses them.
//! Unaware of what was wrong with it. Deletes nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::at;
use crate::layout::Layout;
use crate::{Key, Result, Store, StoreError, claims};

/// [`now`], under the key's lock.
pub(crate) fn locked(store: &Store, key: &Key) -> Result<PathBuf> {
    match claims::take_soon(store, key)? {
        Some(_held) => now(store.layout(), key),
        None => Err(StoreError::Busy { key: *key }),
    }
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
