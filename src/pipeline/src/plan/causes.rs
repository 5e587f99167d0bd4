//! Why a stage is stale, followed through its inputs to where it began.
//! Unaware of words.

use std::collections::BTreeSet;

use spec::Pipeline;

use super::{Plan, Reason, Verdict};

/// The stages, from `at` towards its inputs, that have a reason of their own to run: the ends of the chain. A stage
/// whose only reason is that an input is stale or forced has none.
pub fn causes(pipeline: &Pipeline, plan: &Plan, at: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([at]);
    let mut next = vec![at];
    while let Some(stage) = next.pop() {
        if stage != at && has_own_reason(plan, stage) {
            found.push(stage);
        }
        for input in stale_inputs(pipeline, plan, stage) {
            if seen.insert(input) {
                next.push(input);
            }
        }
    }
    found.sort_unstable();
    found
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
