//! Looks at every byte of stored results that a run is going to read; damaged ones move aside and are planned anew.
//! Unaware of running.

use std::collections::BTreeSet;

use store::{Key, Lease, StoreError};

use plan::{Plan, Reason, Verdict};

use crate::error::Error;
use crate::session::Session;

/// The plan, with every stored result that a stale stage is going to read verified by its bytes. A damaged one is moved
/// aside, said, and planned anew. The lease keeps clean-ups away from all of it; there is none when nothing is stale.
pub fn verified_plan(session: &Session) -> Result<(Plan, Option<Lease>), Error> {
    let mut checked: BTreeSet<Key> = BTreeSet::new();
    let mut moved: BTreeSet<Key> = BTreeSet::new();
    let mut lease = None;
    loop {
        let plan = session.plan();
        let (_, stale, _) = plan.counts();
        if stale > 0 && lease.is_none() {
            // From here on a clean-up leaves alone what was planned with; what it took before is planned again.
            let keys: Vec<Key> = plan.stages.iter().filter_map(|p| p.key).collect();
            lease = Some(session.store.lease(&keys)?);
            continue;
        }
        let mut damaged = seen_damage(session, &plan);
        damaged.extend(damaged_inputs(session, &plan, &mut checked));
        damaged.retain(|(_, key)| moved.insert(*key));
        if damaged.is_empty() {
            return Ok((plan, lease));
        }
        for (name, key) in damaged {
            let is_broken = || session.store.is_broken(&key);
            let folder = match session.store.quarantine_if(&key, is_broken) {
                Ok(Some(folder)) => folder,
                // Another run has seen it too and is at it, or has made it anew.
                Ok(None) | Err(StoreError::Absent { .. } | StoreError::Busy { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let text = "is not what was stored; it is moved aside and computed again";
            session.warn(&format!(
                "the result of `{name}` {text} ({})",
                folder.display()
            ));
        }
    }
}

/// Stages whose damage shows without reading every byte.
fn seen_damage(session: &Session, plan: &Plan) -> Vec<(String, Key)> {
    let is_damaged = |verdict: &Verdict| {
        let damage = |r: &Reason| matches!(r, Reason::OutputDamaged(_));
        matches!(verdict, Verdict::Stale(reasons) if reasons.iter().any(damage))
    };
    let damaged = plan.stages.iter().filter(|p| is_damaged(&p.verdict));
    let name = |at: usize| session.pipeline.stages[at].name.clone();
    damaged
        .filter_map(|p| p.key.map(|key| (name(p.stage), key)))
        .collect()
}

fn damaged_inputs(
    session: &Session,
    plan: &Plan,
    checked: &mut BTreeSet<Key>,
) -> Vec<(String, Key)> {
    let stale = plan
        .stages
        .iter()
        .filter(|p| matches!(p.verdict, Verdict::Stale(_)));
    let inputs: BTreeSet<usize> = stale
        .flat_map(|p| {
            session.pipeline.stages[p.stage]
                .inputs
                .iter()
                .map(|e| e.stage)
        })
        .collect();
    let fresh = inputs
        .into_iter()
        .filter_map(|at| plan.get(at))
        .filter(|p| p.verdict == Verdict::Fresh);
    let mut damaged = Vec::new();
    for planned in fresh {
        let Some(key) = planned.key else { continue };
        if checked.insert(key) && session.store.seal_anew(&key).is_err() {
            damaged.push((session.pipeline.stages[planned.stage].name.clone(), key));
        }
    }
    damaged
}
