//! Why stages are stale, followed through their inputs to where it began.
//! Unaware of words.
//!
//! The ends of a chain are found in one pass over the plan, inputs first: those of a stage are its stale inputs that have
//! reasons of their own, and the ends of its stale inputs. Only so many are kept of each that a person would read, so that
//! a chain of a hundred thousand stages takes no longer than as many stages side by side.

use std::collections::BTreeSet;

use spec::Pipeline;

use super::{Plan, Reason, Verdict};

/// So many ends are known of each stage: those that stand first in the file.
const MOST: usize = 32;

/// Where it began, for each stage of a plan.
pub struct Causes {
    /// By index of the stage.
    ends: Vec<Vec<usize>>,
}

impl Causes {
    /// Of all stages of the plan.
    pub fn new(pipeline: &Pipeline, plan: &Plan) -> Self {
        let mut ends: Vec<Vec<usize>> = vec![Vec::new(); pipeline.stages.len()];
        for planned in &plan.stages {
            if planned.verdict == Verdict::Fresh {
                continue;
            }
            let mut found = BTreeSet::new();
            for input in stale_inputs(pipeline, plan, planned.stage) {
                if has_own_reason(plan, input) {
                    found.insert(input);
                }
                found.extend(&ends[input]);
            }
            ends[planned.stage] = found.into_iter().take(MOST).collect();
        }
        Self { ends }
    }

    /// The stages, from `at` towards its inputs, that have a reason of their own to run: the ends of the chain, the first
    /// of them where there are many. A stage whose only reason is that an input is stale or forced has none.
    pub fn of(&self, at: usize) -> &[usize] {
        self.ends.get(at).map_or(&[], Vec::as_slice)
    }
}

/// The inputs of a stage that are not fresh, each once.
pub fn stale_inputs(pipeline: &Pipeline, plan: &Plan, at: usize) -> Vec<usize> {
    let stale = |at: &usize| plan.get(*at).is_some_and(|p| p.verdict != Verdict::Fresh);
    let inputs = pipeline.stages[at].inputs.iter().map(|e| e.stage);
    let unique: BTreeSet<usize> = inputs.filter(stale).collect();
    unique.into_iter().collect()
}

fn has_own_reason(plan: &Plan, at: usize) -> bool {
    let from_input =
        |r: &Reason| matches!(r, Reason::InputStale { .. } | Reason::InputForced { .. });
    match plan.get(at).map(|p| &p.verdict) {
        Some(Verdict::Stale(reasons)) => !reasons.iter().all(from_input),
        Some(Verdict::Blocked(_)) => true,
        _ => false,
    }
}
