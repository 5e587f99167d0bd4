//! What a stored result is, and what it was made from: digests over whole outputs.
//! Unaware of stages, and of what follows when two of them differ.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use rayon::prelude::*;
use serde_json::Value;

use crate::index::Listed;
use crate::stat::Stat;
use crate::{Digest, Facts, Key, OutputKind, Record, Store};

/// The fact of a record that says what its stage consumed: a digest for each role of an input.
const CONSUMED: &str = "consumed";

/// The fact of a record that holds its content key.
const CONTENT_KEY: &str = "content_key";

/// The fact of a record that was taken over: the key of the record whose stage ran.
const COPIED_FROM: &str = "same_inputs_as";

/// What lies under a key, and from what it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The digest over paths, sizes and digests of all outputs.
    pub content: Digest,
    /// That of each input, by role, when the result was made. `None` in records of earlier programs.
    pub consumed: Option<BTreeMap<String, Digest>>,
    /// The digest of the manifest with inputs by content instead of by key. `None` in records of earlier programs.
    pub content_key: Option<Digest>,
}

impl Made {
    /// What a record says of it.
    pub fn of(record: &Record) -> Self {
        Self {
            content: record.content(),
            consumed: record.facts.consumed(),
            content_key: record.facts.content_key(),
        }
    }
}

impl Facts {
    /// Says what a stage consumed.
    #[must_use]
    pub fn with_consumed(self, consumed: &BTreeMap<String, Digest>) -> Self {
        let text = |(role, digest): (&String, &Digest)| (role.clone(), digest.to_string().into());
        let object: serde_json::Map<String, Value> = consumed.iter().map(text).collect();
        self.with(CONSUMED, object)
    }

    /// What the stage consumed. `None` where that is not said, or not as [`Facts::with_consumed`] says it.
    pub fn consumed(&self) -> Option<BTreeMap<String, Digest>> {
        let digest = |(role, text): (&String, &Value)| {
            let digest = text.as_str()?.parse::<Digest>().ok()?;
            Some((role.clone(), digest))
        };
        self.get(CONSUMED)?
            .as_object()?
            .iter()
            .map(digest)
            .collect()
    }

    /// Says what identifies the work with its inputs by content: see [`Made::content_key`].
    #[must_use]
    pub fn with_content_key(self, content_key: &Digest) -> Self {
        self.with(CONTENT_KEY, content_key.to_string())
    }

    /// The digest that [`Facts::with_content_key`] put there.
    pub fn content_key(&self) -> Option<Digest> {
        self.get(CONTENT_KEY)?.as_str()?.parse().ok()
    }

    /// Takes out what [`Facts::with_consumed`] and [`Facts::with_content_key`] put there.
    pub(crate) fn take_made_from(&mut self) -> (Option<BTreeMap<String, Digest>>, Option<Digest>) {
        let made_from = (self.consumed(), self.content_key());
        if made_from.0.is_some() {
            self.0.remove(CONSUMED);
        }
        if made_from.1.is_some() {
            self.0.remove(CONTENT_KEY);
        }
        made_from
    }

    /// Says that the result is a copy of that of `from`, or of what that one was copied from.
    #[must_use]
    pub fn copied_from(mut self, from: &Key) -> Self {
        if self.source().is_none() {
            self.set(COPIED_FROM, from.to_string());
        }
        self
    }

    /// The key whose stage ran, where the result was taken over from another record.
    pub fn source(&self) -> Option<Key> {
        self.get(COPIED_FROM)?.as_str()?.parse().ok()
    }
}

/// The content of a result of these plain files, each with its path, size and digest, in the order of their paths.
pub fn content_of_files<'a>(files: impl Iterator<Item = (&'a str, u64, Digest)>) -> Digest {
    content_of(files.map(|(path, size, digest)| Listed {
        path,
        size,
        digest,
        kind: OutputKind::File,
    }))
}

/// The digest over paths, sizes and digests of outputs, in the order given; what is no plain file has a mark in front.
pub(crate) fn content_of<'a>(outputs: impl Iterator<Item = Listed<'a>>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for listed in outputs {
        let Listed {
            path,
            size,
            digest,
            kind,
        } = listed;
        if kind != OutputKind::File {
            // No path is that long, so no list of files has the content of this one.
            hasher.update(&u64::MAX.to_le_bytes());
            hasher.update(&[kind.mark()]);
        }
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(&size.to_le_bytes());
        hasher.update(digest.as_bytes());
    }
    hasher.finalize().into()
}

impl Store {
    /// What lies under a key and from what it was made, from the index where it knows the record. Also of a key that this
    /// process has committed and that is not published yet.
    pub fn made(&self, key: &Key) -> Option<Made> {
        let path = self.layout().record(key);
        let stat = match fs::symlink_metadata(&path) {
            Ok(meta) => Stat::of(&meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return self.pending(key),
            Err(_) => return None,
        };
        if let Some(made) = self.committed_made(key, &stat) {
            return Some(made);
        }
        if let Some(found) = self.index().get(key, &stat) {
            return found.known().made();
        }
        self.record(key)
            .ok()
            .flatten()
            .map(|record| Made::of(&record))
    }

    /// [`Store::made`] of many keys, on all cores, in the order given.
    pub fn made_all(&self, keys: &[Key]) -> Vec<Option<Made>> {
        if keys.len() < MANY {
            return keys.iter().map(|key| self.made(key)).collect();
        }
        keys.par_iter().map(|key| self.made(key)).collect()
    }
}

/// From this many keys on all cores look.
const MANY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_consumed_comes_back_and_nonsense_is_none() {
        let consumed = BTreeMap::from([("images".to_owned(), Digest::of(b"a"))]);
        let facts = Facts::new().with_consumed(&consumed);
        assert_eq!(facts.consumed(), Some(consumed));
        assert_eq!(Facts::new().consumed(), None);
        assert_eq!(Facts::new().with(CONSUMED, 3).consumed(), None);
        let odd = serde_json::json!({"images": "no digest"});
        assert_eq!(Facts::new().with(CONSUMED, odd).consumed(), None);
    }

    #[test]
    fn a_copy_of_a_copy_names_the_one_that_ran() {
        let (one, two) = (Key::of_manifest("1"), Key::of_manifest("2"));
        let facts = Facts::new().copied_from(&one).copied_from(&two);
        assert_eq!(facts.source(), Some(one));
    }

    #[test]
    fn content_tells_paths_sizes_and_bytes_apart() {
        let listed = |path, size, bytes: &[u8]| Listed {
            path,
            size,
            digest: Digest::of(bytes),
            kind: OutputKind::File,
        };
        let one = |listed| content_of(std::iter::once(listed));
        let content = one(listed("a", 1, b"x"));
        assert_ne!(content, one(listed("b", 1, b"x")));
        assert_ne!(content, one(listed("a", 2, b"x")));
        assert_ne!(content, one(listed("a", 1, b"y")));
        assert_ne!(content, content_of(std::iter::empty()));
        for kind in [
            OutputKind::Executable,
            OutputKind::Link("x"),
            OutputKind::Folder,
        ] {
            let other = Listed {
                kind,
                ..listed("a", 1, b"x")
            };
            assert_ne!(content, one(other), "{kind:?}");
        }
    }
}
