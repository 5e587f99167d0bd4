//! Keeps the emptied work folders of finished keys for the next tickets: to remove a folder takes ext4 milliseconds.
//! Unaware of keys. A spare folder belongs to whoever renames it first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::Result;
use crate::atomic::rename_into;
use crate::error::at;
use crate::mutex::locked;

/// The spare folders that this process knows of.
#[derive(Debug, Default)]
pub(crate) struct FolderPool(Mutex<Vec<PathBuf>>);

impl FolderPool {
    /// Those that earlier runs left in `folder`.
    pub(crate) fn find(&self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        locked(&self.0).extend(entries.flatten().map(|entry| entry.path()));
    }

    /// Makes a spare folder the work folder `partial`. False where there is none, or where `partial` has content.
    pub(crate) fn take(&self, partial: &Path) -> Result<bool> {
        use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory, NotFound};
        loop {
            let Some(spare) = locked(&self.0).pop() else {
                return Ok(false);
            };
            match fs::rename(&spare, partial).map_err(|e| (e.kind(), e)) {
                Ok(()) => return Ok(true),
                Err((NotFound, _)) => {} // another process was first
                Err((AlreadyExists | DirectoryNotEmpty | NotADirectory, _)) => {
                    locked(&self.0).push(spare);
                    return Ok(false);
                }
                Err((_, e)) => return Err(at("create", partial)(e)),
            }
        }
    }

    /// Makes a work folder without content a spare one; `spare` is a name that nobody else uses.
    pub(crate) fn keep(&self, partial: &Path, spare: PathBuf) -> Result<()> {
        rename_into(partial, &spare)?;
        locked(&self.0).push(spare);
        Ok(())
    }
}

/// Whether there is nothing in a work folder but, perhaps, an empty folder for checkpoints.
pub(crate) fn is_blank(partial: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(partial) else {
        return false;
    };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "state" && is_empty(&entry)))
}

fn is_empty(folder: &fs::DirEntry) -> bool {
    fs::read_dir(folder.path()).is_ok_and(|mut inside| inside.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_round_and_one_with_content_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("one/state")).unwrap();
        let spares = FolderPool::default();
        spares.keep(&path("one"), path("spare/one")).unwrap();
        assert!(path("spare/one/state").is_dir() && !path("one").exists());
        fs::create_dir_all(path("two/state")).unwrap();
        fs::write(path("two/state/step"), "7").unwrap();
        assert!(!is_blank(&path("two")));
        assert!(!spares.take(&path("two")).unwrap());
        assert!(spares.take(&path("three")).unwrap() && path("three/state").is_dir());
        assert!(!spares.take(&path("four")).unwrap());
    }

    #[test]
    fn a_spare_folder_goes_to_one_of_two_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("spare/x")).unwrap();
        let (one, two) = (FolderPool::default(), FolderPool::default());
        one.find(&path("spare"));
        two.find(&path("spare"));
        assert!(one.take(&path("a")).unwrap() && !two.take(&path("b")).unwrap());
    }
}
