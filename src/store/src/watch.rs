//! Files outside the cache while a stage reads them: what they were, and the way to them.
//! Unaware of which stage reads them, and of how folders are listed.
//!
//! ```text
//!   before: each folder and link on the way ── stat;  each file ── stat and digest
//!   behind: the same stats ──> nobody can have read other bytes in between
//! ```
//!
//! Digests alone would not do: a file that is swapped and put back has its digest again, and not the time of its last
//! change, which only the kernel sets. A folder on the way may get and lose names, which changes both of its times; where
//! the time of change is another alone, the folder itself was moved. In a folder that is listed, names count too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::clock::settle_after;
use crate::stat::Stat;
use crate::{Bytes, Digest, Result, Store};

/// From this many files on all cores look.
const MANY: usize = 64;

/// Links on the way to one file; the kernel follows no more.
const MAX_LINKS: usize = 40;

/// What files were at one time.
#[derive(Debug, Default)]
pub struct Watch {
    /// The way, the files at its ends included.
    places: BTreeMap<PathBuf, Place>,
    /// Files behind whose stat a coarse clock could hide a change.
    young: Vec<(PathBuf, Stat, Digest)>,
}

#[derive(Debug, Clone)]
struct Place {
    stat: Stat,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// A folder that is gone through.
    Way,
    /// A folder whose names count.
    Listed,
    /// A link, and where it leads.
    Link(PathBuf),
    /// A file.
    File,
}

impl Watch {
    /// A digest that stays while these very files lie there.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for Place { stat, what } in self.places.values() {
            let times = [stat.mtime, stat.ctime];
            let times = if *what == What::Way { [0, 0] } else { times };
            for number in [stat.id.1.cast_signed(), times[0], times[1]] {
                hasher.update(&number.to_le_bytes());
            }
        }
        hasher.finalize().into()
    }

    /// Notes every folder, link and file on the way to `path`.
    fn note(&mut self, path: &Path) {
        let mut ways = vec![path.to_path_buf()];
        let mut links = 0;
        while let Some(way) = ways.pop() {
            for at in way.ancestors().filter(|at| !at.as_os_str().is_empty()) {
                let Some(place) = self.place(at) else {
                    continue;
                };
                let What::Link(to) = place.what else {
                    continue;
                };
                links += 1;
                if links > MAX_LINKS {
                    return; // no file lies behind it
                }
                let rest = way.strip_prefix(at).unwrap_or(Path::new(""));
                let whole = at.with_file_name(to);
                ways.push(if rest.as_os_str().is_empty() {
                    whole
                } else {
                    whole.join(rest)
                });
            }
        }
    }

    fn place(&mut self, at: &Path) -> Option<Place> {
        if let Some(place) = self.places.get(at) {
            return Some(place.clone());
        }
        let meta = fs::symlink_metadata(at).ok()?;
        let what = match meta.file_type() {
            kind if kind.is_symlink() => What::Link(fs::read_link(at).ok()?),
            kind if kind.is_dir() => What::Way,
            _ => What::File,
        };
        let stat = Stat::of(&meta);
        let place = Place { stat, what };
        self.places.insert(at.to_path_buf(), place.clone());
        Some(place)
    }
}

impl Place {
    fn is_still_there(&self, path: &Path) -> bool {
        let meta = fs::symlink_metadata(path);
        meta.is_ok_and(|meta| meta.is_dir() && Stat::of(&meta).id == self.stat.id)
    }

    fn is_as_it_was(&self, path: &Path) -> bool {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return false;
        };
        let (then, now) = (&self.stat, Stat::of(&meta));
        match self.what {
            What::Way => {
                let is_moved = now.ctime != then.ctime && now.mtime == then.mtime;
                now.id == then.id && !is_moved
            }
            What::Listed | What::Link(_) | What::File => now == *then,
        }
    }
}

impl Store {
    /// Notes what files are, the folders that were listed to find them, and the way to all of these; digests and sizes of
    /// the files. Returns when a change that comes after would show.
    pub fn watch(&self, listed: &[PathBuf], files: &[PathBuf]) -> (Watch, Vec<Result<Bytes>>) {
        let mut watch = Watch::default();
        for path in listed.iter().chain(files) {
            watch.note(&std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        }
        for folder in listed {
            let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            watch.note(&folder);
            if let Some(place) = watch.places.get_mut(&folder)
                && place.what == What::Way
            {
                place.what = What::Listed;
            }
        }
        let hashed = |path: &PathBuf| self.hashed(path);
        let hashed: Vec<_> = if files.len() < MANY {
            files.iter().map(hashed).collect()
        } else {
            files.par_iter().map(hashed).collect()
        };
        let mut digests = Vec::with_capacity(files.len());
        let mut latest = None;
        for (path, hashed) in files.iter().zip(hashed) {
            if let Ok(hashed) = &hashed {
                latest = latest.max(Some(hashed.stat.ctime));
                if hashed.stat.is_young(hashed.began) {
                    watch.young.push((path.clone(), hashed.stat, hashed.digest));
                }
            }
            digests.push(hashed.map(|hashed| Bytes {
                digest: hashed.digest,
                size: hashed.stat.size,
            }));
        }
        settle_after(latest);
        (watch, digests)
    }

    /// What of this is not as it was, if anything, whatever its bytes are now. Of the folders in `known` it is known why
    /// their times changed, and that the names that count are the same.
    pub fn moved(&self, watch: &Watch, known: &BTreeSet<PathBuf>) -> Option<PathBuf> {
        let mut places = watch.places.iter();
        let moved = places.find(|(path, place)| {
            let is_known = known.contains(*path) && place.is_still_there(path);
            !is_known && !place.is_as_it_was(path)
        });
        if let Some((path, _)) = moved {
            return Some(path.clone());
        }
        let mut young = watch.young.iter();
        let moved = young.find(|(path, stat, digest)| {
            let now = self.digest_of(path, stat);
            now.is_err() || now.is_ok_and(|now| now != *digest)
        });
        moved.map(|(path, _, _)| path.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;

    struct Room {
        _folder: tempfile::TempDir,
        at: PathBuf,
        store: Store,
    }

    /// `in/a` and `in/b`, other bytes in `other/a`, and links `to` the folder and `deep/way` to that link.
    fn room() -> Room {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_path_buf();
        for (path, text) in [("in/a", "good"), ("in/b", "b"), ("other/a", "evil")] {
            fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
            fs::write(at.join(path), text).unwrap();
        }
        fs::create_dir(at.join("deep")).unwrap();
        symlink("in", at.join("to")).unwrap();
        symlink("../to", at.join("deep/way")).unwrap();
        let store = Store::open(&at.join("cache")).unwrap();
        Room {
            _folder: folder,
            at,
            store,
        }
    }

    /// Two names change places and change back.
    fn swap(at: &Path, a: &str, b: &str) {
        for _ in 0..2 {
            fs::rename(at.join(a), at.join("aside")).unwrap();
            fs::rename(at.join(b), at.join(a)).unwrap();
            fs::rename(at.join("aside"), at.join(b)).unwrap();
        }
    }

    fn rewrite(path: &Path) {
        let was = fs::metadata(path).unwrap().modified().unwrap();
        let text = fs::read(path).unwrap();
        fs::write(path, "evil").unwrap();
        fs::write(path, text).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(was).unwrap();
    }

    fn relink(path: &Path, to: &str) {
        let was = fs::read_link(path).unwrap();
        for to in [Path::new(to), &was] {
            fs::remove_file(path).unwrap();
            symlink(to, path).unwrap();
        }
    }

    #[test]
    fn what_was_swapped_and_put_back_is_noticed_on_every_way() {
        type Change = fn(&Path);
        let cases: [(&str, Change); 6] = [
            ("a file", |at| swap(at, "in/a", "other/a")),
            ("the folder", |at| swap(at, "in", "other")),
            ("bytes and times", |at| rewrite(&at.join("in/a"))),
            ("the first link", |at| {
                relink(&at.join("deep/way"), "../other");
            }),
            ("the second link", |at| relink(&at.join("to"), "other")),
            ("a folder on the way", |at| {
                fs::create_dir(at.join("empty")).unwrap();
                swap(at, "deep", "empty");
            }),
        ];
        for (name, change) in cases {
            let room = room();
            let file = room.at.join("deep/way/a");
            let (watch, digests) = room.store.watch(&[], std::slice::from_ref(&file));
            let held = digests[0].as_ref().unwrap();
            assert_eq!((held.digest, held.size), (Digest::of(b"good"), 4));
            assert_eq!(room.store.moved(&watch, &BTreeSet::new()), None, "{name}");
            let before = watch.fingerprint();
            change(&room.at);
            assert_eq!(fs::read_to_string(&file).unwrap(), "good", "{name}");
            assert!(
                room.store.moved(&watch, &BTreeSet::new()).is_some(),
                "{name}"
            );
            let (again, _) = room.store.watch(&[], &[file]);
            // A folder that was moved and is back is the same folder; its files were not touched.
            let is_way = name.contains("folder");
            assert_eq!(again.fingerprint() == before, is_way, "{name}");
        }
    }

    #[test]
    fn names_beside_a_file_do_not_matter_unless_the_folder_is_listed() {
        let room = room();
        let (folder, file) = (room.at.join("in"), room.at.join("in/a"));
        let (one, _) = room.store.watch(&[], std::slice::from_ref(&file));
        let (all, _) = room.store.watch(std::slice::from_ref(&folder), &[file]);
        fs::write(folder.join("c"), "").unwrap();
        fs::remove_file(folder.join("c")).unwrap();
        assert_eq!(room.store.moved(&one, &BTreeSet::new()), None);
        assert_eq!(room.store.moved(&all, &BTreeSet::new()), Some(folder));
    }

    #[test]
    fn a_ring_of_links_ends() {
        let room = room();
        symlink("y", room.at.join("x")).unwrap();
        symlink("x", room.at.join("y")).unwrap();
        let (watch, digests) = room.store.watch(&[], &[room.at.join("x/a")]);
        assert!(digests[0].is_err());
        assert_eq!(room.store.moved(&watch, &BTreeSet::new()), None);
    }

    #[test]
    fn an_old_file_keeps_its_digest_and_is_noticed_all_the_same() {
        let room = room();
        let file = room.at.join("in/a");
        let old = SystemTime::now() - Duration::from_secs(1000);
        let handle = fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(old).unwrap();
        let (watch, _) = room.store.watch(&[], std::slice::from_ref(&file));
        rewrite(&file);
        assert_eq!(room.store.moved(&watch, &BTreeSet::new()), Some(file));
    }
}
