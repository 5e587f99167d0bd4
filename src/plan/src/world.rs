//! What a plan depends on besides the pipeline: what is outside, and what was done before.
//! Unaware of where either is found out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use spec::Listing;
use store::{Digest, Key};

/// What is outside, by how it is read and where it is: the same folder may be images to one stage and files to another.
pub type Outside = BTreeMap<(Listing, PathBuf), Found>;

/// The files of one outside path, relative names and digests, or why it cannot be read.
pub type Found = Result<Vec<(String, Digest)>, String>;

/// What the plan depends on besides the pipeline.
pub struct World<'a> {
    /// Files outside, by the path a stage names; relative names and digests.
    pub outside: &'a Outside,
    /// Device kind (the first word), data type and libtorch version, as they enter keys.
    pub numerics: &'a str,
    /// Whether the processor has instructions for products of bfloat16; without, they would be emulated.
    pub cpu_bf16: bool,
    /// What was done before.
    pub past: &'a dyn Past,
    /// Stages to run even if they are fresh, by index.
    pub force: &'a BTreeSet<usize>,
    /// Whether results stay that were made from other bytes of their inputs than are stored now.
    pub keep_consumers: bool,
}

/// What was done before, asked by key and by name.
pub trait Past {
    /// What is stored under a key.
    fn stored(&self, key: &Key) -> Stored;
    /// [`Past::stored`] of many keys, in the order given.
    fn stored_all(&self, keys: &[Key]) -> Vec<Stored> {
        keys.iter().map(|key| self.stored(key)).collect()
    }
    /// What a stored result is as a whole, and from what it was made; `None` where that is not known.
    fn made(&self, key: &Key) -> Option<Made> {
        let _ = key;
        None
    }
    /// [`Past::made`] of many keys, in the order given.
    fn made_all(&self, keys: &[Key]) -> Vec<Option<Made>> {
        keys.iter().map(|key| self.made(key)).collect()
    }
    /// The manifest that a stage of this name had when it last was fresh, if it is still on record.
    fn last_manifest(&self, stage: &str) -> Option<String>;
    /// Whether a result of this key was found damaged and moved aside.
    fn was_damaged(&self, key: &Key) -> bool {
        let _ = key;
        false
    }
    /// Whether the result that it had then is whole, and says from what bytes it was made.
    fn last_can_be_taken_over(&self, stage: &str) -> bool {
        let _ = stage;
        false
    }
}

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Nothing.
    Nothing,
    /// A record, and all outputs as recorded.
    Whole,
    /// A record, but these outputs are gone.
    Missing(Vec<String>),
    /// A record, but these outputs have changed, or the record itself has.
    Damaged(Vec<String>),
}

/// What a stored result is as a whole, and from what it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The digest over all outputs.
    pub content: Digest,
    /// That of each input by role, as it was then. `None` where the record does not say: it counts as consistent.
    pub consumed: Option<BTreeMap<String, Digest>>,
}
