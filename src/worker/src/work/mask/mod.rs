//! `mask`: `N_c` masks for each image (METHOD: masks).
//! Unaware of what the masks are for.
//!
//! ```text
//!   images (LQ or HR) ── segmenters ─┬─ graph, files, zero, other: an image a thread ────────┐
//!                                    └─ sam: an embedding an image, shared by all its grids ─┴─> output: masks.json, masks/
//!                                            └─> kept: finished images, for the next try after a kill
//! ```
//!
//! Stages that differ only in what is asked of one SAM come as a batch and are done together, image by image; each has
//! its own outputs and its own end.

mod images;
mod kept;
mod output;
mod records;
mod segmenters;

use spec::kinds::Mask;
use spec::{Job, Kind};

use super::facts::FactMap;
use super::{Reporter, WorkError};

/// Writes `masks.json` and `masks/`.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    segmenters::run(config, job, reporter)
}

/// Stages of one batch done together, a result for each; nothing where they share no start.
pub(super) fn together(
    jobs: &[Job],
    reporters: &[Reporter],
) -> Option<Vec<Result<FactMap, WorkError>>> {
    let mut parts = Vec::new();
    for (job, reporter) in jobs.iter().zip(reporters) {
        let Kind::Mask(config) = &job.stage else {
            return None;
        };
        parts.push(segmenters::part(config, job, reporter)?);
    }
    Some(segmenters::together(&parts))
}
