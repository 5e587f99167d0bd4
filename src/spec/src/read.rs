//! All stages whose results a stage reads: its inputs, and those behind them.
//! Unaware of what is read of them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::around::Around;
use crate::behind::Behind;
use crate::stage::Pipeline;

/// A stage whose result is read, as an input or behind one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<'p> {
    /// Its role, for the reader.
    pub role: Cow<'p, str>,
    /// Index into [`Pipeline::stages`].
    pub stage: usize,
}

/// All stages whose results stage `at` reads: its inputs, and those behind them.
pub fn reads(pipeline: &Pipeline, at: usize) -> impl Iterator<Item = Read<'_>> {
    let inputs = pipeline.stages[at].inputs.iter().map(|edge| Read {
        role: Cow::Borrowed(&edge.role),
        stage: edge.stage,
    });
    let behind = behind(pipeline, at).into_iter().map(|behind| Read {
        role: Cow::Owned(behind.role),
        stage: behind.stage,
    });
    inputs.chain(behind)
}

/// What stage `at` reads behind its inputs, each part of a stage once. Empty for all that compute.
pub fn behind(pipeline: &Pipeline, at: usize) -> Vec<Behind> {
    let mut all = pipeline.stages[at].kind.behind(&Around::new(pipeline, at));
    let mut seen = BTreeSet::new();
    all.retain(|behind| seen.insert((behind.stage, behind.part)));
    all
}
