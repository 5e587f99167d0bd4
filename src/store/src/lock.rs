//! Kernel locks on files that are never deleted: free as soon as every process that holds one is dead.
//! Unaware of what a lock protects; knows no process ids, so nothing is ever stale.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::atomic::parent;
use crate::error::at;
use crate::{Result, StoreError};

/// How long [`take_soon`] asks.
const PATIENCE: Duration = Duration::from_millis(500);

/// The lock, or `None` when another descriptor has it. Dropping the last copy of the descriptor frees it.
pub(crate) fn try_take(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(StoreError::NoLocks {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// As [`try_take`], but asks again for a while: a process that is just being started has our locks from fork to exec.
pub(crate) fn take_soon(path: &Path) -> Result<Option<File>> {
    let start = Instant::now();
    loop {
        let lock = try_take(path)?;
        if lock.is_some() || start.elapsed() > PATIENCE {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for the lock. `None` where the disk has no locks: only for what may be lost.
pub(crate) fn wait(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    Ok(file.lock().is_ok().then_some(file))
}

/// Opened for writing too, which locks over a network need.
fn open(path: &Path) -> Result<File> {
    let folder = parent(path);
    fs::create_dir_all(folder).map_err(at("create", folder))?;
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(at("open", path))
}
