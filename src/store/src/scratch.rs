//! Folders for the temporary files of programs: one goes from stage to stage while programs put nothing there.
//! Unaware of short names for them, of who hands them on, and of what is put there.
//!
//! ```text
//!   partial/<id of the run>.<number>    of a run, until its lock is free: it and all that it started are dead then
//!   partial/<16 digits of a key>        of an earlier program, until the locks of these keys are free
//! ```
//!
//! To make a folder and remove it takes longer than a short command runs, where a disk is told of each block that becomes
//! free. What a killed run left goes when the cache is opened next.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::atomic::remove_all;
use crate::error::at;
use crate::stat::Stat;
use crate::tree::{inside, name};
use crate::{Result, Store, claims, lock};

/// A folder for temporary files. When it is dropped, it is gone with what lies in it.
#[derive(Debug)]
pub struct Scratch {
    store: Store,
    path: PathBuf,
    /// Mode and owner, as it was made.
    was: Option<(u32, u32, u32)>,
    /// What the kernel said of it then.
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

    /// Whether nothing was ever put there, so that the next stage gets what this one got: what wrote there may have it mounted,
    /// as a container has, and outlive its stage.
    pub fn is_untouched(&self) -> bool {
        let Ok(now) = fs::symlink_metadata(&self.path) else {
            return false;
        };
        // Where the clock has ticks, something may have come and gone in the one in which it was made.
        Some(Stat::of(&now)) == self.seen
            && (self.store.has_fine_clock() || (Some(access(&now)) == self.was && self.is_empty()))
    }

    fn is_empty(&self) -> bool {
        let no_bytes: &mut [u8] = &mut [];
        rustix::fs::llistxattr(&self.path, no_bytes).is_ok_and(|length| length == 0)
            && fs::read_dir(&self.path).is_ok_and(|mut inside| inside.next().is_none())
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
        // What cannot be removed costs only space; the next one tries again.
        if let Some((run, _)) = name(&folder).rsplit_once('.') {
            if claims::is_name(run) && claims::is_over(&store.layout().runs(), run).unwrap_or(false)
            {
                let _ = remove_all(&folder);
            }
        } else if let Some(_held) = locks_of(store, name(&folder)) {
            let _ = remove_all(&folder);
        }
    }
}

/// Digits of a key in the name of a folder as earlier programs made them.
const DIGITS: usize = 16;

/// The locks of all keys that a folder of this name may be of, if an earlier program can have made it and nobody holds any.
fn locks_of(store: &Store, digits: &str) -> Option<Vec<File>> {
    let is_old = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let locks = inside(&store.layout().locks_beside(is_old.then_some(digits)?));
    let of_it = locks.iter().filter(|path| name(path).starts_with(digits));
    of_it.map(|path| lock::try_take(path).ok()?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn a_folder_is_untouched_until_something_is_put_there_or_its_mode_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let all = [0; 3].map(|_| Scratch::new(&store).unwrap());
        let [one, two, three] = &all;
        assert!(one.path() != two.path() && all.iter().all(Scratch::is_untouched));
        std::thread::sleep(std::time::Duration::from_millis(20)); // the next tick, where there are ticks
        fs::write(one.path().join("t"), "t").unwrap();
        fs::remove_file(one.path().join("t")).unwrap();
        fs::write(two.path().join("t"), "t").unwrap();
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o500);
        fs::set_permissions(three.path(), mode).unwrap();
        assert!(all.iter().all(|scratch| !scratch.is_untouched()));
        let paths = all.each_ref().map(|scratch| scratch.path().to_owned());
        drop(all);
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

    #[test]
    fn what_an_earlier_program_left_is_swept_when_nobody_holds_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [dead, living] = ["1", "2"].map(|text| {
            let key = Key::of_manifest(text);
            let scratch = store.layout().partials().join(format!("{key:.DIGITS$}"));
            fs::create_dir(&scratch).unwrap();
            fs::write(scratch.join("t"), "t").unwrap();
            (key, scratch)
        });
        drop(store.ticket(&dead.0).unwrap());
        let _held = store.ticket(&living.0).unwrap();
        let unknown = store.layout().partials().join("0123456789abcdef");
        let others = ["0123456789abcde", "0123456789abcdeg"];
        let others = others.map(|name| store.layout().partials().join(name));
        for folder in others.iter().chain([&unknown]) {
            fs::create_dir(folder).unwrap();
        }
        Store::open(folder.path()).unwrap();
        assert!(!dead.1.exists() && !unknown.exists() && living.1.join("t").exists());
        assert!(others.iter().all(|folder| folder.exists()));
    }
}
