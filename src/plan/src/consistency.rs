//! Whether stored results were made from the bytes of their inputs that are stored now.
//! Unaware of how bytes are digested. Keys cannot tell: an input that was lost and made again has the key it had.
//!
//! ```text
//!   a: content 7 ──> b: consumed a=7, content 3 ──> c: consumed b=3      all fresh
//!   a: content 8 ──> b: consumed a=7                                     b: input `a` was made again and differs
//!                                               ──> c: consumed b=3      fresh, unsure: it depends on what b comes out as
//! ```

use std::collections::BTreeMap;

use spec::{Pipeline, Read, reads};
use store::Key;

use crate::planned::Known;
use crate::verdict::Verdict;
use crate::world::{Made, Past, Stored, World};

/// What is known of the whole ones among these stages.
pub(super) fn made(
    known: &[(usize, Key)],
    stored: &[Stored],
    past: &dyn Past,
) -> BTreeMap<usize, Made> {
    let whole = known.iter().zip(stored);
    let whole = whole.filter(|(_, stored)| matches!(stored, Stored::Whole));
    let (stages, keys): (Vec<usize>, Vec<Key>) = whole.map(|(known, _)| *known).unzip();
    let made = stages.into_iter().zip(past.made_all(&keys));
    made.filter_map(|(at, made)| Some((at, made?))).collect()
}

/// What a stored result was made from and what is stored with other bytes now.
pub(super) fn differing<'p>(
    pipeline: &'p Pipeline,
    at: usize,
    made: &BTreeMap<usize, Made>,
) -> Vec<Read<'p>> {
    let Some(consumed) = made.get(&at).and_then(|made| made.consumed.as_ref()) else {
        return Vec::new();
    };
    let differs = |edge: &Read<'_>| {
        let (then, now) = (consumed.get(&*edge.role), made.get(&edge.stage));
        then.zip(now)
            .is_some_and(|(then, now)| *then != now.content)
    };
    reads(pipeline, at).filter(differs).collect()
}

/// The inputs, each once, that are made, or may be, before it is known whether a fresh result stays.
pub(super) fn unsure(
    pipeline: &Pipeline,
    at: usize,
    verdict: &Verdict,
    made: &BTreeMap<usize, Made>,
    planned: &Known,
    world: &World<'_>,
) -> Vec<usize> {
    if world.keep_consumers || *verdict != Verdict::Fresh {
        return Vec::new();
    }
    let Some(consumed) = made.get(&at).and_then(|made| made.consumed.as_ref()) else {
        return Vec::new();
    };
    let is_open = |at: &usize| {
        let input = planned.get(*at);
        input.is_some_and(|p| p.verdict != Verdict::Fresh || !p.unsure.is_empty())
    };
    let said = reads(pipeline, at).filter(|edge| consumed.contains_key(&*edge.role));
    let mut open: Vec<usize> = said.map(|edge| edge.stage).filter(is_open).collect();
    open.sort_unstable();
    open.dedup();
    open
}
