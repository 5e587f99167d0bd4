//! Folders for the temporary files of programs: one goes from stage to stage while programs leave it as they found it.
//! Unaware of short names for them, and of what is put there.
//!
//! ```text
//!   partial/<16 digits of the key>    of whoever holds the key; none had it before, or it came from a stage that is done
//! ```
//!
//! To make a folder and remove it takes longer than a short command runs, where a disk is told of each block that becomes
//! free. What a killed program left goes when the cache is opened next.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::atomic::remove_all;
use crate::error::at;
use crate::stat::Stat;
use crate::store::locked;
use crate::tree::{inside, name};
use crate::{Key, Result, Store, lock};

/// Digits of a key in the name of such a folder.
const DIGITS: usize = 16;

/// Empty folders that this program has for the next stages. Each is still called after the key that it was made for, and
/// who holds that key by now may have made another one there: one is taken only while it is what was put here.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Pooled>>);

#[derive(Debug)]
struct Pooled {
    path: PathBuf,
    seen: Stat,
}

impl Pooled {
    fn of(path: PathBuf) -> Option<Self> {
        let seen = Stat::of(&fs::symlink_metadata(&path).ok()?);
        Some(Self { path, seen })
    }

    fn is_still_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| Stat::of(&meta) == self.seen)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for folder in locked(&self.0).drain(..) {
            if folder.is_still_there() {
                let _ = fs::remove_dir(&folder.path); // it is swept when the cache is opened next
            }
        }
    }
}

/// A folder for temporary files. When it is dropped, what lies in it is gone.
#[derive(Debug)]
pub struct Scratch {
    store: Store,
    path: PathBuf,
    /// Mode and owner, as it was handed out.
    was: Option<(u32, u32, u32)>,
}

impl Scratch {
    /// The empty folder of the key, which the caller holds.
    pub(crate) fn new(store: &Store, key: &Key) -> Result<Self> {
        let path = store.layout().scratch(&format!("{key:.DIGITS$}"));
        remove_all(&path)?; // a killed program has left it
        let pooled = {
            let mut pool = locked(&store.scratches().0);
            pool.retain(|pooled| pooled.path != path);
            pool.pop()
        };
        let moves =
            |pooled: &Pooled| pooled.is_still_there() && fs::rename(&pooled.path, &path).is_ok();
        let is_pooled = pooled.is_some_and(|pooled| moves(&pooled));
        if !is_pooled {
            fs::create_dir(&path).map_err(at("create", &path))?;
        }
        let was = fs::symlink_metadata(&path).ok();
        Ok(Self {
            store: store.clone(),
            path,
            was: was.map(|meta| access(&meta)),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the next stage gets what this one got.
    fn is_as_it_was(&self) -> bool {
        let now = fs::symlink_metadata(&self.path);
        let same = now.is_ok_and(|now| now.is_dir() && Some(access(&now)) == self.was);
        let no_bytes: &mut [u8] = &mut [];
        same && rustix::fs::llistxattr(&self.path, no_bytes).is_ok_and(|length| length == 0)
            && fs::read_dir(&self.path).is_ok_and(|mut inside| inside.next().is_none())
    }
}

fn access(meta: &Metadata) -> (u32, u32, u32) {
    (meta.mode(), meta.uid(), meta.gid())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_as_it_was() {
            let path = std::mem::take(&mut self.path);
            locked(&self.store.scratches().0).extend(Pooled::of(path));
        } else {
            let _ = self.store.discard(&self.path); // it is swept when the cache is opened next
        }
    }
}

/// Removes the folders that killed programs have left: whose keys nobody holds.
pub(crate) fn sweep(store: &Store) {
    let names = inside(&store.layout().partials()).into_iter();
    for folder in names.filter(|path| is_scratch(name(path))) {
        let digits = name(&folder);
        let locks = store.layout().locks_beside(digits);
        let mut held = Vec::new();
        let of_it = |path: &&PathBuf| name(path).starts_with(digits);
        for path in inside(&locks).iter().filter(of_it) {
            held.push(lock::try_take(path).ok().flatten());
        }
        if held.iter().all(Option::is_some) {
            let _ = remove_all(&folder); // costs only space; the next one tries again
        }
    }
}

fn is_scratch(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claim;

    fn ticket(store: &Store, manifest: &str) -> crate::Ticket {
        match store.ticket(&Key::of_manifest(manifest)).unwrap() {
            Claim::Ready(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn inode(path: &Path) -> u64 {
        fs::symlink_metadata(path).unwrap().ino()
    }

    #[test]
    fn a_folder_goes_on_while_it_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (one, two) = (ticket(&store, "1"), ticket(&store, "2"));
        let first = one.scratch().unwrap();
        let ino = inode(first.path());
        let other = two.scratch().unwrap();
        assert_ne!(inode(other.path()), ino);
        drop(other);
        fs::write(first.path().join("t"), "t").unwrap();
        fs::remove_file(first.path().join("t")).unwrap();
        drop(first);
        let again = two.scratch().unwrap();
        assert_eq!(inode(again.path()), ino);
        assert_eq!(
            again.path(),
            store.layout().scratch(&format!("{:.16}", two.key()))
        );
        fs::write(again.path().join("t"), "t").unwrap();
        let path = again.path().to_owned();
        drop(again);
        assert!(!path.exists(), "what was left in it is gone");
        let third = two.scratch().unwrap();
        assert_ne!(inode(third.path()), ino);
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o500);
        fs::set_permissions(third.path(), mode).unwrap();
        let ino = inode(third.path());
        drop(third);
        assert_ne!(inode(one.scratch().unwrap().path()), ino);
    }

    #[test]
    fn a_folder_that_another_has_made_since_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (one, two) = (ticket(&store, "1"), ticket(&store, "2"));
        let first = one.scratch().unwrap();
        let path = first.path().to_owned();
        drop(first);
        // Another program wants that key anew, and has the name.
        fs::remove_dir(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("t"), "of another").unwrap();
        let second = two.scratch().unwrap();
        assert!(path.join("t").exists() && second.path() != path);
        drop((second, one, two, store));
        assert!(path.exists());
    }

    #[test]
    fn what_a_killed_program_left_is_swept_and_what_a_living_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (dead, living) = (ticket(&store, "1"), ticket(&store, "2"));
        let path = store.layout().scratch(&format!("{:.16}", dead.key()));
        drop(dead);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("t"), "t").unwrap();
        let unknown = store.layout().scratch("0123456789abcdef");
        fs::create_dir(&unknown).unwrap();
        let mine = living.scratch().unwrap();
        Store::open(folder.path()).unwrap();
        assert!(!path.exists() && !unknown.exists() && mine.path().exists());
        drop((mine, living));
        drop(store);
        assert_eq!(
            fs::read_dir(folder.path().join("partial")).unwrap().count(),
            2
        );
    }
}
