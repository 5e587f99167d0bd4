//! What a stored result is, and what it was made from: digests over whole outputs.
//! Unaware of stages, and of what follows when two of them differ.

use std::collections::BTreeMap;

use crate::{Digest, Record};

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
