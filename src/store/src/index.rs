//! The records of many keys in one file, so that a plan need not open and parse each of them.
//! Unaware of where records lie, of manifests, and of the outputs' bytes.
//!
//! ```text
//!   magic, count                              16 + 8 bytes
//!   count x (key, offset)                     40 bytes each, in order of the keys
//!   count x (stat of the record, outputs)     40 + 8 bytes, then a path's length, path, size and digest for each output,
//!                                             behind which a link has its length and text; the first byte of a path's
//!                                             length (big end) says what it is: file, program, link, empty folder
//!            (content, consumed)              32 + 8 bytes (all ones: not recorded), then a role's length, role and digest
//!            (content key)                    32 bytes (all zeros: not recorded)
//!   digest of all that                        32 bytes
//! ```
//!
//! It can be lost at any time, and never makes a stale result fresh: an entry counts only while the record's file has the
//! very stat (device, inode, size, mtime, ctime) that it had when it was read, and only records were read that no later
//! change could leave with that stat. The outputs are looked at as if the record had been read. A file that is not
//! byte for byte as it was written is an empty index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::atomic::{Flush, replace};
use crate::listed::Listed;
use crate::stat::Stat;
use crate::{Digest, Key, Made, Output, OutputKind, Result};

/// The first bytes of the file; other bytes are another version.
const MAGIC: &[u8; 16] = b"pipeline index3\n";

/// The largest index that is read: ten million records take half of it.
const MAX_BYTES: u64 = 8 << 30;

/// Bytes before the slots.
const HEAD: usize = 24;

/// Bytes of a slot: key and offset.
const SLOT: usize = 40;

/// Bytes of a stat.
const STAT: usize = 40;

/// What the file held when it was read, and what was learnt since. No lock is held while outputs are looked at: a thread
/// that waits for others there may be handed another key to look at.
#[derive(Debug, Default)]
pub(crate) struct Index {
    bytes: Vec<u8>,
    count: usize,
    learnt: RwLock<Learnt>,
}

#[derive(Debug, Default)]
struct Learnt {
    entries: BTreeMap<Key, Arc<[u8]>>,
    is_saved: bool,
}

/// The entry of a record.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// From the file.
    Stored(&'a [u8]),
    /// From a record that this process read.
    Learnt(Arc<[u8]>),
}

impl Found<'_> {
    /// What comes after the stat.
    pub(crate) fn known(&self) -> Known<'_> {
        let bytes = match self {
            Self::Stored(bytes) => bytes,
            Self::Learnt(bytes) => &**bytes,
        };
        Known(bytes.get(STAT..).unwrap_or_default())
    }
}

/// The outputs of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a>(&'a [u8]);

impl Index {
    /// Reads the index of an earlier run.
    pub(crate) fn load(path: &Path) -> Self {
        let bytes = files::read(path, MAX_BYTES).unwrap_or_default();
        let count = check(&bytes).unwrap_or(0);
        Self {
            bytes,
            count,
            learnt: RwLock::default(),
        }
    }

    /// The record of a key, if it was read from a file with this very stat.
    pub(crate) fn get(&self, key: &Key, stat: &Stat) -> Option<Found<'_>> {
        let learnt = self.learnt().entries.get(key).cloned();
        let (found, has_stat) = match learnt {
            Some(entry) => (Found::Learnt(entry.clone()), is_of(&entry, stat)),
            None => self
                .stored(key)
                .map(|e| (Found::Stored(e), is_of(e, stat)))?,
        };
        has_stat.then_some(found)
    }

    /// What is known of a record whatever its file is by now; who uses it reads the record itself.
    pub(crate) fn get_any(&self, key: &Key) -> Option<Found<'_>> {
        let learnt = self.learnt().entries.get(key).cloned();
        let stored = || self.stored(key).map(Found::Stored);
        learnt.map(Found::Learnt).or_else(stored)
    }

    fn learnt(&self) -> RwLockReadGuard<'_, Learnt> {
        self.learnt.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn learnt_mut(&self) -> RwLockWriteGuard<'_, Learnt> {
        self.learnt.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored(&self, key: &Key) -> Option<&[u8]> {
        let (slots, _) = self.bytes.get(HEAD..)?.as_chunks::<SLOT>();
        let slots = slots.get(..self.count)?;
        let at = slots.binary_search_by(|slot| slot[..32].cmp(key.digest().as_bytes().as_slice()));
        self.entry(slots.get(at.ok()?)?)
    }

    /// From the offset of a slot on; an entry knows its own end.
    fn entry(&self, slot: &[u8; SLOT]) -> Option<&[u8]> {
        let (_, offset) = slot.split_last_chunk::<8>()?;
        self.bytes.get(u64::from_le_bytes(*offset) as usize..)
    }

    /// Remembers a record that was read when its file had this stat and was no longer young.
    pub(crate) fn put(&self, key: Key, stat: &Stat, outputs: &[Output], made: &Made) {
        let mut entry = encode_stat(stat).to_vec();
        push(&mut entry, outputs.len() as u64);
        for output in outputs {
            push_output(&mut entry, output);
        }
        push_made(&mut entry, made);
        let mut learnt = self.learnt_mut();
        learnt.entries.insert(key, entry.into());
        learnt.is_saved = false;
    }

    /// Adds what was learnt to what the file holds by now, which another process may have written, less `gone`.
    pub(crate) fn save(&self, path: &Path, gone: &BTreeSet<Key>) -> Result<()> {
        let mut learnt = self.learnt_mut();
        if (learnt.is_saved || learnt.entries.is_empty()) && gone.is_empty() {
            return Ok(());
        }
        learnt.entries.retain(|key, _| !gone.contains(key));
        let now = Self::load(path);
        let mut all = now.entries();
        all.retain(|key, _| !gone.contains(key));
        all.extend(learnt.entries.iter().map(|(key, entry)| (*key, &**entry)));
        replace(path, &encode(&all), Flush::No)?;
        learnt.is_saved = true;
        Ok(())
    }

    fn entries(&self) -> BTreeMap<Key, &[u8]> {
        let (slots, _) = self
            .bytes
            .get(HEAD..)
            .unwrap_or_default()
            .as_chunks::<SLOT>();
        let entry = |slot: &[u8; SLOT]| {
            let key = Key::from(Digest::from(*slot.first_chunk::<32>()?));
            let start = self.entry(slot)?;
            let end = start.len() - Known(start.get(STAT..)?).rest()?.len();
            Some((key, start.get(..end)?))
        };
        slots.iter().take(self.count).filter_map(entry).collect()
    }
}

impl<'a> Known<'a> {
    /// The outputs, sorted by path.
    pub(crate) fn outputs(self) -> impl Iterator<Item = Listed<'a>> {
        let (count, mut rest) = take_number(self.0).unwrap_or_default();
        (0..count).map_while(move |_| {
            let (output, after) = take_output(rest)?;
            rest = after;
            Some(output)
        })
    }

    pub(crate) fn count(self) -> usize {
        take_number(self.0).map_or(0, |(count, _)| count as usize)
    }

    /// What the outputs are as a whole, and from what they were made.
    pub(crate) fn made(self) -> Option<Made> {
        Some(take_made(self.after_outputs()?)?.0)
    }

    /// The bytes after the entry.
    fn rest(self) -> Option<&'a [u8]> {
        Some(take_made(self.after_outputs()?)?.1)
    }

    fn after_outputs(self) -> Option<&'a [u8]> {
        let (count, mut rest) = take_number(self.0)?;
        for _ in 0..count {
            rest = take_output(rest)?.1;
        }
        Some(rest)
    }
}

/// The count of roles of a record that does not say what it consumed.
const NOT_SAID: u64 = u64::MAX;

/// The content key of a record that has none; no text is known that has this digest.
const NO_KEY: [u8; 32] = [0; 32];

/// Where in a path's length it stands what an output is: no path is that long.
const KIND_SHIFT: u32 = 56;

fn push_output(entry: &mut Vec<u8>, output: &Output) {
    let kind = u64::from(output.kind.mark()) << KIND_SHIFT;
    push(entry, output.path.len() as u64 | kind);
    entry.extend_from_slice(output.path.as_bytes());
    push(entry, output.size);
    entry.extend_from_slice(output.digest.as_bytes());
    if let OutputKind::Link(to) = &output.kind {
        push(entry, to.len() as u64);
        entry.extend_from_slice(to.as_bytes());
    }
}

fn push_made(entry: &mut Vec<u8>, made: &Made) {
    entry.extend_from_slice(made.content.as_bytes());
    match &made.consumed {
        None => push(entry, NOT_SAID),
        Some(consumed) => push_consumed(entry, consumed),
    }
    let content_key = made.content_key.unwrap_or(NO_KEY.into());
    entry.extend_from_slice(content_key.as_bytes());
}

fn push_consumed(entry: &mut Vec<u8>, consumed: &BTreeMap<String, Digest>) {
    push(entry, consumed.len() as u64);
    for (role, digest) in consumed {
        push(entry, role.len() as u64);
        entry.extend_from_slice(role.as_bytes());
        entry.extend_from_slice(digest.as_bytes());
    }
}

fn take_made(bytes: &[u8]) -> Option<(Made, &[u8])> {
    let (content, rest) = take_digest(bytes)?;
    let (consumed, rest) = take_consumed(rest)?;
    let (content_key, rest) = take_digest(rest)?;
    let made = Made {
        content,
        consumed,
        content_key: (*content_key.as_bytes() != NO_KEY).then_some(content_key),
    };
    Some((made, rest))
}

/// Digests by role, where they are recorded.
type Consumed = Option<BTreeMap<String, Digest>>;

fn take_consumed(bytes: &[u8]) -> Option<(Consumed, &[u8])> {
    let (count, mut rest) = take_number(bytes)?;
    if count == NOT_SAID {
        return Some((None, rest));
    }
    let mut consumed = BTreeMap::new();
    for _ in 0..count {
        let (role, after) = take_text(rest)?;
        let (digest, after) = take_digest(after)?;
        consumed.insert(role.to_owned(), digest);
        rest = after;
    }
    Some((Some(consumed), rest))
}

/// Whether an entry begins with this stat.
fn is_of(entry: &[u8], stat: &Stat) -> bool {
    entry.first_chunk::<STAT>() == Some(&encode_stat(stat))
}

fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn take_output(bytes: &[u8]) -> Option<(Listed<'_>, &[u8])> {
    let (number, rest) = take_number(bytes)?;
    let (path, rest) = take_text_of(number & ((1 << KIND_SHIFT) - 1), rest)?;
    let (size, rest) = take_number(rest)?;
    let (digest, rest) = take_digest(rest)?;
    let (kind, rest) = match number >> KIND_SHIFT {
        0 => (OutputKind::File, rest),
        1 => (OutputKind::Executable, rest),
        2 => {
            let (to, rest) = take_text(rest)?;
            (OutputKind::Link(to), rest)
        }
        3 => (OutputKind::Folder, rest),
        _ => return None,
    };
    let listed = Listed {
        path,
        size,
        digest,
        kind,
    };
    Some((listed, rest))
}

fn take_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = take_number(bytes)?;
    take_text_of(length, rest)
}

fn take_text_of(length: u64, bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length as usize)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn take_digest(bytes: &[u8]) -> Option<(Digest, &[u8])> {
    let (digest, rest) = bytes.split_first_chunk::<32>()?;
    Some(((*digest).into(), rest))
}

fn push(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn encode_stat(stat: &Stat) -> [u8; STAT] {
    let numbers = [
        stat.id.0,
        stat.id.1,
        stat.size,
        stat.mtime.cast_unsigned(),
        stat.ctime.cast_unsigned(),
    ];
    let mut bytes = [0; STAT];
    for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
    }
    bytes
}

fn encode(entries: &BTreeMap<Key, &[u8]>) -> Vec<u8> {
    let size: usize = entries.values().map(|entry| entry.len() + SLOT).sum();
    let mut bytes = Vec::with_capacity(HEAD + size + 32);
    bytes.extend_from_slice(MAGIC);
    push(&mut bytes, entries.len() as u64);
    let mut offset = HEAD + entries.len() * SLOT;
    for (key, entry) in entries {
        bytes.extend_from_slice(key.digest().as_bytes());
        push(&mut bytes, offset as u64);
        offset += entry.len();
    }
    bytes.extend(entries.values().copied().flatten());
    let sum = sum_of(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

/// On all cores where waking them pays.
fn sum_of(bytes: &[u8]) -> blake3::Hash {
    if bytes.len() < 4 << 20 {
        blake3::hash(bytes)
    } else {
        blake3::Hasher::new().update_rayon(bytes).finalize()
    }
}

/// The number of entries. `None` unless every byte is as it was written by this version.
fn check(bytes: &[u8]) -> Option<usize> {
    let (content, sum) = bytes.split_last_chunk::<32>()?;
    let (count, _) = take_number(content.strip_prefix(MAGIC)?)?;
    let found = sum_of(content);
    (found.as_bytes() == sum).then_some(count as usize)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn stat(n: i64) -> Stat {
        Stat {
            id: (1, 2),
            size: 3,
            mtime: n,
            ctime: n,
        }
    }

    fn output(path: &str) -> Output {
        Output {
            path: path.to_owned(),
            size: path.len() as u64,
            digest: Digest::of(path.as_bytes()),
            kind: OutputKind::File,
        }
    }

    fn key(n: usize) -> Key {
        Key::of_manifest(&n.to_string())
    }

    fn made(consumed: Option<&[&str]>) -> Made {
        let digest = |text: &&str| ((*text).to_owned(), Digest::of(text.as_bytes()));
        Made {
            content: Digest::of(b"content"),
            consumed: consumed.map(|roles| roles.iter().map(digest).collect()),
            content_key: consumed.map(|roles| Digest::of(roles.concat().as_bytes())),
        }
    }

    #[test]
    fn what_a_result_was_made_from_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let index = Index::default();
        let all = [None, Some(&[][..]), Some(&["images", "validate.masks"])].map(made);
        for (n, made) in all.iter().enumerate() {
            index.put(key(n), &stat(1), &[output("a")], made);
        }
        index.save(&path, &BTreeSet::new()).unwrap();
        index.put(key(9), &stat(1), &[], &all[2]);
        index.save(&path, &BTreeSet::new()).unwrap();
        let saved = Index::load(&path);
        for (n, made) in all.iter().enumerate() {
            let found = saved.get(&key(n), &stat(1)).unwrap();
            assert_eq!(found.known().made().as_ref(), Some(made));
        }
    }

    /// The paths of a key's outputs.
    fn paths(index: &Index, n: usize, time: i64) -> Option<Vec<String>> {
        let found = index.get(&key(n), &stat(time))?;
        Some(
            found
                .known()
                .outputs()
                .map(|output| output.path.to_owned())
                .collect(),
        )
    }

    #[test]
    fn it_round_trips_and_takes_what_others_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let (one, two) = (Index::load(&path), Index::load(&path));
        for n in 0..50 {
            one.put(
                key(n),
                &stat(1),
                &[output("a"), output(&format!("b/{n}"))],
                &made(Some(&["x"])),
            );
        }
        two.put(key(7), &stat(2), &[], &made(None));
        one.save(&path, &BTreeSet::new()).unwrap();
        two.save(&path, &BTreeSet::from([key(9)])).unwrap();
        let saved = Index::load(&path);
        assert_eq!(paths(&saved, 8, 1).unwrap(), ["a", "b/8"]);
        assert_eq!(paths(&saved, 7, 2).unwrap(), Vec::<String>::new());
        assert_eq!(paths(&saved, 9, 1), None, "gone");
        assert_eq!(paths(&saved, 50, 1), None, "never put");
        assert_eq!(paths(&saved, 7, 1), None, "of another stat");
    }

    #[test]
    fn only_the_very_same_stat_counts() {
        let index = Index::default();
        index.put(key(1), &stat(5), &[], &made(None));
        for other in crate::stat::others(stat(5)) {
            assert!(index.get(&key(1), &other).is_none(), "{other:?}");
        }
        assert!(index.get(&key(1), &stat(5)).is_some());
    }

    #[test]
    fn any_flipped_bit_or_cut_empties_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let index = Index::default();
        index.put(key(1), &stat(1), &[output("a")], &made(Some(&["x"])));
        index.put(key(2), &stat(1), &[], &made(None));
        index.save(&path, &BTreeSet::new()).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(check(&bytes), Some(2));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(check(&bytes[..length]), None, "{length} bytes");
        }
    }
}
