//! Whether images that a model is judged on are among those it was trained on, by the digests of their pixels.
//! Unaware of models and metrics.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use artifacts::PairList;

use super::read::{Evaluation, ReportError};

/// Images of an evaluation that its model has seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// The set, as the table calls it.
    pub set: String,
    /// Its images.
    pub images: usize,
    /// Those it was trained on.
    pub trained: usize,
    /// Those that decided when to stop, or which weights to hand on.
    pub stopped: usize,
}

/// The overlap of an evaluation with what its model was made from; `None` when there is none.
pub(super) fn overlap(evaluation: &Evaluation) -> Result<Option<Overlap>, ReportError> {
    if evaluation.trained_on.is_empty() && evaluation.stopped_by.is_empty() {
        return Ok(None);
    }
    let own = digests(&evaluation.pairs)?;
    let trained = all(&evaluation.trained_on)?;
    let stopped = all(&evaluation.stopped_by)?;
    let found = Overlap {
        set: evaluation.labels.get("set").cloned().unwrap_or_default(),
        images: own.len(),
        trained: own.iter().filter(|d| trained.contains(*d)).count(),
        stopped: own.iter().filter(|d| stopped.contains(*d)).count(),
    };
    Ok((found.trained + found.stopped > 0).then_some(found))
}

fn all(folders: &[PathBuf]) -> Result<BTreeSet<String>, ReportError> {
    let mut found = BTreeSet::new();
    for folder in folders {
        found.extend(digests(folder)?);
    }
    Ok(found)
}

fn digests(folder: &Path) -> Result<Vec<String>, ReportError> {
    let list = PairList::read(folder)?;
    Ok(list.pairs.into_iter().map(|p| p.digest).collect())
}
