//! What a program has no use for any more: renamed aside at once, deleted when the program is done.
//! Unaware of what it is. A clean-up deletes what a killed program left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::atomic::{create_unique, remove_all};
use crate::error::at;
use crate::{Result, Store};

/// The folder in the trash that is this program's own.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    folder: OnceLock<Option<PathBuf>>,
    count: AtomicU64,
}

impl Drop for Trash {
    fn drop(&mut self) {
        if let Some(Some(folder)) = self.folder.get() {
            let _ = remove_all(folder); // costs only space; the next clean-up tries again
        }
    }
}

impl Trash {
    fn folder(&self, all: &Path) -> Option<&PathBuf> {
        let create = || {
            fs::create_dir_all(all).ok()?;
            let made = create_unique(all, "run-", |path| fs::create_dir(path)).ok();
            made.map(|(path, ())| path)
        };
        self.folder.get_or_init(create).as_ref()
    }

    fn take(&self, all: &Path, path: &Path) -> io::Result<()> {
        let folder = self.folder(all).ok_or(io::ErrorKind::NotFound)?;
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        fs::rename(path, folder.join(n.to_string()))
    }
}

impl Store {
    /// Makes a file or folder disappear. Where the trash cannot take it, it is deleted at once.
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        if self.trash().take(&self.layout().trash(), path).is_ok() {
            return Ok(());
        }
        let is_folder = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        let removed = if is_folder {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.map_err(at("remove", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_discarded_is_gone_and_the_trash_empties_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store = Store::open(&path("cache")).unwrap();
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("c"), "c").unwrap();
        store.discard(&path("a")).unwrap();
        store.discard(&path("c")).unwrap();
        assert!(!path("a").exists() && !path("c").exists());
        assert!(store.discard(&path("c")).is_err());
        drop(store);
        assert_eq!(fs::read_dir(path("cache/trash")).unwrap().count(), 0);
    }
}
