//! Folders for the temporary files of programs: one goes from stage to stage while programs leave it as they found it.
//! Unaware of short names for them, of who hands them on, and of what is put there.
//!
//! ```text
//!   partial/<id of the run>.<number>    of a run, until its lock is free: it and all that it started are dead then
//! ```
//!
//! To make a folder and remove it takes longer than a short command runs, where a disk is told of each block that becomes
//! free. What a killed run left goes when the cache is opened next.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::atomic::remove_all;
use crate::error::at;
use crate::stat::Stat;
use crate::tree::{inside, name};
use crate::{Result, Store, claims};

/// A folder for temporary files. When it is dropped, it is gone with what lies in it.
#[derive(Debug)]
pub struct Scratch {
    store: Store,
    path: PathBuf,
    /// Mode and owner, as it was made.
    was: Option<(u32, u32, u32)>,
    /// What the kernel said of it when it was empty.
    seen: Option<Stat>,
}

impl Scratch {
    /// An empty folder of this run.
    pub(crate) fn new(store: &Store) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let run = store.claims()?.name();
        let path = store.layout().partials().join(format!("{run}.{n}"));
        fs::create_dir(&path).map_err(at("create", &path))?;
        let was = fs::symlink_metadata(&path).ok();
        Ok(Self {
            store: store.clone(),
            path,
            seen: was.as_ref().map(Stat::of),
            was: was.map(|meta| access(&meta)),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the next stage would get what this one got.
    pub fn is_as_it_was(&mut self) -> bool {
        let Ok(now) = fs::symlink_metadata(&self.path) else {
            return false;
        };
        let stat = Some(Stat::of(&now));
        if stat == self.seen && self.store.has_fine_clock() {
            return true; // nothing was put there, given or taken
        }
        let same = now.is_dir() && Some(access(&now)) == self.was;
        let no_bytes: &mut [u8] = &mut [];
        let is_empty = || {
            rustix::fs::llistxattr(&self.path, no_bytes).is_ok_and(|length| length == 0)
                && fs::read_dir(&self.path).is_ok_and(|mut inside| inside.next().is_none())
        };
        self.seen = stat;
        same && is_empty()
    }
}

fn access(meta: &Metadata) -> (u32, u32, u32) {
    (meta.mode(), meta.uid(), meta.gid())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if fs::remove_dir(&self.path).is_err() {
            let _ = self.store.discard(&self.path); // it is swept when the cache is opened next
        }
    }
}

/// Removes the folders that killed runs have left.
pub(crate) fn sweep(store: &Store) {
    for folder in inside(&store.layout().partials()) {
        let run = name(&folder).rsplit_once('.').map(|(run, _)| run);
        let is_over = |run: &str| {
            claims::is_name(run) && claims::is_over(&store.layout().runs(), run).unwrap_or(false)
        };
        if run.is_some_and(is_over) {
            let _ = remove_all(&folder); // costs only space; the next one tries again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn a_folder_is_as_it_was_while_nothing_is_in_it_and_its_owner_may_use_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (mut one, other) = (Scratch::new(&store).unwrap(), Scratch::new(&store).unwrap());
        assert!(one.is_as_it_was() && one.path() != other.path());
        fs::write(one.path().join("t"), "t").unwrap();
        assert!(!one.is_as_it_was());
        fs::remove_file(one.path().join("t")).unwrap();
        assert!(one.is_as_it_was());
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o500);
        fs::set_permissions(one.path(), mode).unwrap();
        assert!(!one.is_as_it_was());
        fs::write(other.path().join("t"), "t").unwrap();
        let paths = [one.path().to_owned(), other.path().to_owned()];
        drop((one, other));
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mine = Scratch::new(&store).unwrap();
        let dead = store.layout().partials().join("run-18ec-7.0");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("t"), "t").unwrap();
        let key = store.layout().partial(&Key::of_manifest("m"));
        fs::create_dir(&key).unwrap();
        Store::open(folder.path()).unwrap();
        assert!(!dead.exists() && key.exists() && mine.path().exists());
    }
}
