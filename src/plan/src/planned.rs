//! A stage as it is planned: its manifest, its key, its verdict.
//! Unaware of how these are found.

use spec::Tag;
use store::Key;

use crate::manifest;
use crate::verdict::Verdict;

/// A stage with its key and verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Index into [`spec::Pipeline::stages`].
    pub stage: usize,
    /// What determines the result, one line a fact; empty when blocked.
    pub manifest: String,
    /// What each line of the manifest determines besides.
    pub(crate) tags: Box<[Tag]>,
    /// The hash of the manifest; `None` when something is missing that it depends on.
    pub key: Option<Key>,
    /// Fresh or not, and why.
    pub verdict: Verdict,
    /// Inputs that are made first, and on whose bytes it depends whether a fresh result stays.
    pub unsure: Vec<usize>,
    /// Inputs that differ from what the result was made from, which `--keep-consumers` keeps.
    pub kept: Vec<usize>,
    /// Whether its last result is taken over if its inputs come out with the bytes that they had then.
    pub may_be_spared: bool,
}

impl Planned {
    /// What trainings have in common that differ only in when they stop and which weights they hand on: a finished one is
    /// the beginning of a longer one. `None` for stages that do not train.
    pub fn trajectory(&self) -> Option<Key> {
        let way = |tag| tag != Tag::Stop;
        manifest::shared("trajectory", Tag::Stop, &self.manifest, &self.tags, way)
    }

    /// What stages have in common that can share an expensive start: masks of several grids, over the same images with
    /// the same SAM, need the model and each image's embedding once. `None` for stages that have no such start.
    pub fn start(&self) -> Option<Key> {
        let start = |tag| tag == Tag::StartUp;
        manifest::shared("start", Tag::StartUp, &self.manifest, &self.tags, start)
    }
}

/// What is planned so far, by stage.
pub(crate) struct Known(pub(crate) Vec<Option<Planned>>);

impl Known {
    pub(crate) fn get(&self, at: usize) -> Option<&Planned> {
        self.0.get(at)?.as_ref()
    }
}
