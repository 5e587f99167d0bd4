//! What a program has no use for any more: renamed aside at once, deleted when the program is done.
//! Unaware of what it is. A clean-up deletes what a killed program left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::atomic::{create_unique, make_writable, remove_all};
use crate::error::at;

/// The folder in the trash that is this program's own.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    folder: OnceLock<Option<PathBuf>>,
    count: AtomicU64,
}

impl Drop for Trash {
    fn drop(&mut self) {
        if let Some(Some(folder)) = self.folder.get() {
            empty(folder);
        }
    }
}

/// Folders in a program's own, each emptied by a thread: they wait for the disk, not for a core, and a folder is locked
/// while something in it is deleted.
const PARTS: u64 = 8;

/// Deletes a program's own folder. A failure costs only space; the next clean-up tries again.
fn empty(folder: &Path) {
    std::thread::scope(|scope| {
        for part in 0..PARTS {
            scope.spawn(move || remove_all(&folder.join(part.to_string())));
        }
    });
    let _ = remove_all(folder);
}

/// Deletes a file, a link or a folder.
fn remove_any(path: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(path).map_err(at("remove", path))?;
    if meta.is_dir() {
        remove_all(path)
    } else {
        fs::remove_file(path).map_err(at("remove", path))
    }
}

/// Renames, also a folder that may not be written in: its entry for the folder around it changes.
fn take_away(path: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(path, to) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path);
            fs::rename(path, to)
        }
        other => other,
    }
}

impl Trash {
    fn folder(&self, all: &Path) -> Option<&PathBuf> {
        let create = || {
            fs::create_dir_all(all).ok()?;
            let (folder, ()) = create_unique(all, "run-", |path| fs::create_dir(path)).ok()?;
            (0..PARTS).for_each(|part| drop(fs::create_dir(folder.join(part.to_string()))));
            Some(folder)
        };
        self.folder.get_or_init(create).as_ref()
    }

    /// Makes a file or folder disappear; `all` is the folder of trash of all programs. Where the trash cannot take it, it is
    /// deleted at once.
    pub(crate) fn discard(&self, all: &Path, path: &Path) -> Result<()> {
        self.take(all, path).or_else(|_| remove_any(path))
    }

    fn take(&self, all: &Path, path: &Path) -> io::Result<()> {
        let folder = self.folder(all).ok_or(io::ErrorKind::NotFound)?;
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let taken = folder.join((n % PARTS).to_string()).join(n.to_string());
        take_away(path, &taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_discarded_is_gone_and_the_trash_empties_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (trash, all) = (Trash::default(), path("cache/trash"));
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("c"), "c").unwrap();
        trash.discard(&all, &path("a")).unwrap();
        trash.discard(&all, &path("c")).unwrap();
        assert!(!path("a").exists() && !path("c").exists());
        assert!(trash.discard(&all, &path("c")).is_err());
        drop(trash);
        assert_eq!(fs::read_dir(path("cache/trash")).unwrap().count(), 0);
    }
}
