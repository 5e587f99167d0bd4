//! `mask`: `N_c` masks for each image (METHOD: masks).
//! Unaware of what the masks are for.
//!
//! ```text
//!   images (LQ or HR) ─┬─ makers: graph, files, zero, other: an image a thread ──┐
//!                      └─ sam: an embedding an image, shared by all its grids ───┴─> output: masks.json, masks/
//!                              └─> kept: finished images, for the next try after a kill
//! ```
//!
//! Stages that differ only in what is asked of one SAM come as a batch and are done together, image by image; each has
//! its own outputs and its own end.

mod images;
mod kept;
mod makers;
mod output;
mod records;
mod sam;

use spec::Job;
use spec::kinds::{Mask, Segmenter};

use super::facts::FactMap;
use super::{Reporter, WorkError};

pub(super) use sam::{Part, together};

/// Writes `masks.json` and `masks/`.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    match &config.segmenter {
        Segmenter::Sam(sam) => sam::alone(&Part {
            config,
            sam,
            job,
            reporter,
        }),
        _ => makers::run(config, job, reporter),
    }
}
