//! How much room there is on a disk.
//! Unaware of the cache: it is asked of any path, also of one that is not there yet.

use std::path::Path;

/// Bytes that this user may still write on the disk that holds `path`, or will hold it.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let path = std::path::absolute(path).ok()?;
    let disk = path
        .ancestors()
        .find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}
