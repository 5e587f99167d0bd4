//! Kernel locks on files: free as soon as every process that holds one is dead.
//! Unaware of what a lock protects; knows no process ids, so nothing is ever stale.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::atomic::parent;
use crate::error::at;
use crate::{Result, StoreError};

/// The lock, or `None` when another descriptor has it. Dropping the last copy of the descriptor frees it.
pub(crate) fn try_take(path: &Path) -> Result<Option<File>> {
    loop {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) if is_named(&file, path)? => return Ok(Some(file)),
            Ok(()) => {} // removed by a clean-up between open and lock: the file of that name now is another
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(no_locks(path)(source)),
        }
    }
}

/// Whether this is the file that the others will open. Only who holds its lock may remove it.
pub(crate) fn is_named(file: &File, path: &Path) -> Result<bool> {
    let ours = file.metadata().map_err(at("read", path))?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(at("read", path)(e)),
    }
}

fn no_locks(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_path_buf();
    |source| StoreError::NoLocks { path, source }
}

/// Waits for the lock of a file that whoever holds it may rename, keep locked and go on with: so the name is looked at again and
/// again, and not the file. `waits` is called where it has to, `go_on` before each look, and its error ends the wait.
pub(crate) fn wait_named<E: From<StoreError>>(
    path: &Path,
    waits: impl FnOnce(),
    mut go_on: impl FnMut() -> Result<(), E>,
) -> Result<File, E> {
    if let Some(file) = try_take(path)? {
        return Ok(file);
    }
    waits();
    loop {
        go_on()?;
        if let Some(file) = try_take(path)? {
            return Ok(file);
        }
        std::thread::sleep(LOOKS);
    }
}

/// Between two looks at a name.
const LOOKS: Duration = Duration::from_millis(100);

/// Waits for the lock. `None` where the disk has no locks: only for what may be lost.
pub(crate) fn wait(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    Ok(file.lock().is_ok().then_some(file))
}

/// Waits for a lock whose file is never removed, alone or with others who share it.
pub(crate) fn wait_alone(path: &Path) -> Result<File> {
    let file = open(path)?;
    file.lock().map_err(no_locks(path))?;
    Ok(file)
}

/// As [`wait_alone`], together with all others who share it.
pub(crate) fn wait_shared(path: &Path) -> Result<File> {
    let file = open(path)?;
    file.lock_shared().map_err(no_locks(path))?;
    Ok(file)
}

/// Whether somebody holds the lock of a file; nobody holds that of one that is not there.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    let Some(file) = open_to_ask(path).map_err(at("open", path))? else {
        return Ok(false);
    };
    // Shared: two that ask at the same time do not take each other for the holder.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(at("lock", path)(e)),
    }
}

/// A file whose lock is asked about, if it is there. Where it may not be written, in a cache that others fill, it is opened
/// for reading alone.
pub(crate) fn open_to_ask(path: &Path) -> io::Result<Option<File>> {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    let open = |writes| files::open_with(File::options().read(true).write(writes), path);
    let opened = open(true).or_else(|e| match e.kind() {
        PermissionDenied | ReadOnlyFilesystem => open(false),
        _ => Err(e),
    });
    match opened {
        Err(e) if e.kind() == NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Opened for writing too, which locks over a network need. The folder is nearly always there.
fn open(path: &Path) -> Result<File> {
    let open = || {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        files::open_with(options, path)
    };
    match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let folder = parent(path);
            fs::create_dir_all(folder).map_err(at("create", folder))?;
            open().map_err(at("open", path))
        }
        other => other.map_err(at("open", path)),
    }
}
