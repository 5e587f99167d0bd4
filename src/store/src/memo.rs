//! Remembers which digest a file had, for as long as the kernel says that the file did not change.
//! Unaware of paths and of what files are for; `now` and the file's stat are arguments, only `load` and `save` touch the disk.
//!
//! The memo can be lost at any time: a damaged, foreign or missing one is an empty one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::atomic::{Flush, replace};
use crate::hash::Hashed;
use crate::stat::Stat;
use crate::{Digest, Result};

/// The first bytes of the file; other bytes are another version.
const MAGIC: &[u8; 16] = b"pipeline memo 1\n";

/// The largest memo that is read: fifty million files.
const MAX_BYTES: u64 = 4 << 30;

/// Bytes of one entry: device, inode, size, mtime, ctime, day, digest.
const ENTRY: usize = 6 * 8 + 32;

/// An entry's day of use is refreshed when it is older than this many days.
const REFRESH: u64 = 7;

/// An entry that was not used for this many days is forgotten.
const FORGET: u64 = 120;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// By device and inode. `None` forgets what the file says.
type Learnt = BTreeMap<(u64, u64), Option<Entry>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    stat: Stat,
    day: u64,
    digest: Digest,
}

/// What the file held when it was read, in order of device and inode, and what was learnt since.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    base: Vec<Entry>,
    fresh: Learnt,
}

impl Memo {
    /// Reads the memo of an earlier run.
    pub(crate) fn load(path: &Path) -> Self {
        let base = files::read(path, MAX_BYTES)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default();
        Self {
            base,
            fresh: Learnt::new(),
        }
    }

    /// The digest of the file with this very stat, if known.
    pub(crate) fn get(&mut self, stat: &Stat, now: i64) -> Option<Digest> {
        let entry = self.known(stat).filter(|entry| entry.stat == *stat)?;
        let today = day(now);
        if entry.day + REFRESH < today {
            let used = Entry {
                day: today,
                ..entry
            };
            self.fresh.insert(stat.id, Some(used));
        }
        Some(entry.digest)
    }

    fn known(&self, stat: &Stat) -> Option<Entry> {
        if let Some(learnt) = self.fresh.get(&stat.id) {
            return *learnt;
        }
        let at = self
            .base
            .binary_search_by_key(&stat.id, |e| e.stat.id)
            .ok()?;
        self.base.get(at).copied()
    }

    /// Remembers a digest, unless the file was so young that it may change without a trace.
    pub(crate) fn put(&mut self, hashed: &Hashed) {
        let Hashed {
            stat,
            digest,
            began,
        } = *hashed;
        let entry = Entry {
            stat,
            day: day(began),
            digest,
        };
        let is_young = stat.is_young(began);
        self.fresh.insert(stat.id, (!is_young).then_some(entry));
    }

    /// Adds what was learnt to what the file holds by now, which another process may have written.
    pub(crate) fn save(&mut self, path: &Path, now: i64) -> Result<()> {
        if !self.fresh.values().any(Option::is_some) {
            return Ok(());
        }
        let base = Self::load(path).base;
        let old = base.into_iter().map(|entry| (entry.stat.id, Some(entry)));
        let mut all: Learnt = old.collect();
        all.append(&mut self.fresh.clone());
        let today = day(now);
        let kept = all.into_values().flatten();
        let base: Vec<Entry> = kept.filter(|e| e.day + FORGET >= today).collect();
        replace(path, &encode(&base), Flush::No)?;
        *self = Self {
            base,
            fresh: Learnt::new(),
        };
        Ok(())
    }
}

fn day(now: i64) -> u64 {
    (now / DAY).max(0) as u64
}

/// Magic, entries in order of their file, the digest of all that.
fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + entries.len() * ENTRY + 32);
    bytes.extend_from_slice(MAGIC);
    for Entry { stat, day, digest } in entries {
        let (device, inode) = stat.id;
        let numbers = [
            device,
            inode,
            stat.size,
            stat.mtime.cast_unsigned(),
            stat.ctime.cast_unsigned(),
            *day,
        ];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(digest.as_bytes());
    }
    let sum = Digest::of(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

/// `None` unless every byte is as it was written by this version.
fn decode(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (content, sum) = bytes.split_last_chunk::<32>()?;
    let (entries, rest) = content.strip_prefix(MAGIC)?.as_chunks::<ENTRY>();
    let whole = rest.is_empty() && Digest::of(content) == Digest::from(*sum);
    whole.then(|| entries.iter().filter_map(entry_of).collect())
}

fn entry_of(bytes: &[u8; ENTRY]) -> Option<Entry> {
    let (numbers, digest) = bytes.split_last_chunk::<32>()?;
    let (numbers, _) = numbers.as_chunks::<8>();
    let &[device, inode, size, mtime, ctime, day] = numbers else {
        return None;
    };
    let number = u64::from_le_bytes;
    let stat = Stat {
        id: (number(device), number(inode)),
        size: number(size),
        mtime: i64::from_le_bytes(mtime),
        ctime: i64::from_le_bytes(ctime),
    };
    Some(Entry {
        stat,
        day: number(day),
        digest: (*digest).into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NOW: i64 = 20_000 * DAY;

    fn hashed(inode: u64, text: &str) -> Hashed {
        let stat = Stat {
            id: (1, inode),
            size: text.len() as u64,
            mtime: NOW - DAY,
            ctime: NOW - DAY,
        };
        Hashed {
            stat,
            digest: Digest::of(text.as_bytes()),
            began: NOW,
        }
    }

    fn memo_of(all: &[Hashed]) -> Memo {
        let mut memo = Memo::default();
        for one in all {
            memo.put(one);
        }
        memo
    }

    #[test]
    fn only_the_very_same_stat_is_answered() {
        let one = hashed(1, "one");
        let mut memo = memo_of(&[one]);
        assert_eq!(memo.get(&one.stat, NOW), Some(one.digest));
        for stat in crate::stat::others(one.stat) {
            assert_eq!(memo.get(&stat, NOW), None, "{stat:?}");
        }
    }

    #[test]
    fn a_young_file_is_not_remembered_and_ousts_what_was() {
        let old = hashed(1, "old");
        let mut memo = memo_of(&[
            old,
            Hashed {
                began: old.stat.ctime + 1,
                ..old
            },
        ]);
        assert_eq!(memo.get(&old.stat, NOW), None);
    }

    #[test]
    fn two_processes_keep_each_others_entries() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memo");
        let (one, two) = (hashed(1, "one"), hashed(2, "two"));
        let (mut first, mut second) = (Memo::load(&path), Memo::load(&path));
        first.put(&one);
        second.put(&two);
        first.save(&path, NOW).unwrap();
        second.save(&path, NOW).unwrap();
        let mut third = Memo::load(&path);
        assert_eq!(third.get(&one.stat, NOW), Some(one.digest));
        assert_eq!(third.get(&two.stat, NOW), Some(two.digest));
    }

    #[test]
    fn nothing_learnt_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memo");
        Memo::load(&path).save(&path, NOW).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn use_refreshes_and_disuse_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memo");
        let (used, unused) = (hashed(1, "used"), hashed(2, "unused"));
        memo_of(&[used, unused]).save(&path, NOW).unwrap();
        let later = NOW + DAY * (REFRESH as i64 + 1);
        let mut memo = Memo::load(&path);
        memo.get(&used.stat, later).unwrap();
        memo.save(&path, later).unwrap();
        let much_later = NOW + DAY * (FORGET as i64 + 1);
        memo.put(&Hashed {
            began: much_later,
            ..hashed(3, "three")
        });
        memo.save(&path, much_later).unwrap();
        let mut memo = Memo::load(&path);
        assert!(memo.get(&used.stat, much_later).is_some());
        assert!(memo.get(&unused.stat, much_later).is_none());
    }

    #[test]
    fn any_flipped_bit_or_cut_empties_the_memo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memo");
        memo_of(&[hashed(1, "one"), hashed(2, "two")])
            .save(&path, NOW)
            .unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(decode(&bytes).unwrap().len(), 2);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "{length} bytes");
        }
    }
}
