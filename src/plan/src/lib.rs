//! From a pipeline to a plan: the order of stages, each one's manifest and key, and whether it is fresh and why not.
//! Unaware of files, clocks and threads: what exists is told to it.
//!
//! ```text
//!   Pipeline ── order (petgraph) ──┐
//!   outside digests ───────────────┼──> manifest ── BLAKE3 ──> key ──┐
//!   numerics class ────────────────┘     (text, one line a fact)     │
//!   Past: what is stored under all keys, what a name had before ─────┴──> verdict, with every reason ──> Plan
//! ```

mod causes;
mod consistency;
mod datasets;
mod manifest;
mod order;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use spec::{Listing, Pipeline, Stage, Tag};
use store::{Digest, Key};

pub use causes::{Causes, stale_inputs};
pub use datasets::{DatasetState, states, tidy};
pub use manifest::FITTED;
pub use verdict::{Change, Reason, Verdict, changes};

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

/// A stage with its key and verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Index into [`Pipeline::stages`].
    pub stage: usize,
    /// What determines the result, one line a fact; empty when blocked.
    pub manifest: String,
    /// What each line of the manifest determines besides.
    tags: Box<[Tag]>,
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
struct Known(Vec<Option<Planned>>);

impl Known {
    fn get(&self, at: usize) -> Option<&Planned> {
        self.0.get(at)?.as_ref()
    }
}

/// All stages in an order in which they can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The stages.
    pub stages: Vec<Planned>,
    /// Where each stage of the pipeline stands in `stages`.
    position: Vec<Option<usize>>,
}

impl Plan {
    /// Plans the wanted stages and all they depend on.
    pub fn new(pipeline: &Pipeline, wanted: &BTreeSet<usize>, world: &World<'_>) -> Self {
        let mut planned = Known(vec![None; pipeline.stages.len()]);
        let order = order::order(pipeline, wanted);
        for &at in &order {
            let stage = with_key(pipeline, at, &planned, world);
            planned.0[at] = Some(stage);
        }
        let known: Vec<(usize, Key)> = order
            .iter()
            .filter_map(|at| Some((*at, planned.get(*at)?.key?)))
            .collect();
        let keys: Vec<Key> = known.iter().map(|(_, key)| *key).collect();
        let all_stored = world.past.stored_all(&keys);
        drop(keys);
        let made = consistency::made(&known, &all_stored, world.past);
        for ((at, _), stored) in known.into_iter().zip(all_stored) {
            let differing = consistency::differing(pipeline, at, &made);
            let judged = verdict::judge(pipeline, at, stored, &differing, &planned, world);
            let unsure = consistency::unsure(pipeline, at, &judged, &made, &planned, world);
            if let Some(stage) = planned.0.get_mut(at).and_then(Option::as_mut) {
                stage.may_be_spared = verdict::may_be_spared(pipeline, at, &judged, world);
                stage.verdict = judged;
                stage.unsure = unsure;
                if world.keep_consumers && stage.verdict == Verdict::Fresh {
                    stage.kept = differing.iter().map(|edge| edge.stage).collect();
                }
            }
        }
        let mut position = vec![None; pipeline.stages.len()];
        for (n, &at) in order.iter().enumerate() {
            position[at] = Some(n);
        }
        let mut stages = Vec::with_capacity(order.len());
        stages.extend(order.iter().filter_map(|at| planned.0[*at].take()));
        Self { stages, position }
    }

    /// The planned form of stage `at`.
    pub fn get(&self, at: usize) -> Option<&Planned> {
        self.stages.get((*self.position.get(at)?)?)
    }

    /// How many are fresh, stale and blocked.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count =
            |test: fn(&Verdict) -> bool| self.stages.iter().filter(|p| test(&p.verdict)).count();
        (
            count(|v| matches!(v, Verdict::Fresh)),
            count(|v| matches!(v, Verdict::Stale(_))),
            count(|v| matches!(v, Verdict::Blocked(_))),
        )
    }
}

/// A stage that is blocked, or one whose key is known and whose verdict is still open: it stands as fresh until judged.
fn with_key(pipeline: &Pipeline, at: usize, planned: &Known, world: &World<'_>) -> Planned {
    let stage = &pipeline.stages[at];
    let missing = verdict::missing(pipeline, stage, planned, world);
    if !missing.is_empty() {
        return Planned {
            stage: at,
            manifest: String::new(),
            tags: Box::default(),
            key: None,
            verdict: Verdict::Blocked(missing),
            unsure: Vec::new(),
            kept: Vec::new(),
            may_be_spared: false,
        };
    }
    let keys = input_keys(stage, planned);
    let (manifest, tags) = manifest::manifest(pipeline, at, &keys, world.outside, world.numerics);
    Planned {
        stage: at,
        key: Some(Key::of_manifest(&manifest)),
        manifest,
        tags,
        verdict: Verdict::Fresh,
        unsure: Vec::new(),
        kept: Vec::new(),
        may_be_spared: false,
    }
}

fn input_keys<'s>(stage: &'s Stage, planned: &Known) -> Vec<(&'s str, Tag, Key)> {
    let key = |at: usize| planned.get(at).and_then(|p| p.key);
    stage
        .inputs
        .iter()
        .filter_map(|e| key(e.stage).map(|k| (e.role.as_str(), e.tag, k)))
        .collect()
}
