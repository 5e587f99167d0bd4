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
mod judge;
mod manifest;
mod order;
mod planned;
mod verdict;
mod world;

use std::collections::BTreeSet;

use spec::{Pipeline, Stage, Tag};
use store::Key;

use planned::Known;

pub use causes::{Causes, stale_inputs};
pub use datasets::{DatasetState, states, tidy};
pub use judge::changes;
pub use manifest::FITTED;
pub use planned::Planned;
pub use verdict::{Change, Reason, Verdict};
pub use world::{Found, Made, Outside, Past, Stored, World};

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
            let judged = judge::judge(pipeline, at, stored, &differing, &planned, world);
            let unsure = consistency::unsure(pipeline, at, &judged, &made, &planned, world);
            if let Some(stage) = planned.0.get_mut(at).and_then(Option::as_mut) {
                stage.may_be_spared = judge::may_be_spared(pipeline, at, &judged, world);
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
    let missing = judge::missing(pipeline, stage, planned, world);
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
