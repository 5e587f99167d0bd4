//! The segmenters: one file each makes the masks that its half in `spec::segmenters` describes.
//! Unaware of what the masks are for.
//!
//! To add one: its file here with a type that is a `Segment`, and its line in [`run`] and [`part`].

mod files;
mod graph;
mod other;
mod sam;
mod stage;
mod zero;

use spec::Job;
use spec::kinds::Mask;
use spec::segmenters::Segmenter;

use crate::work::facts::FactMap;
use crate::work::{Reporter, WorkError};
use stage::Stage;

pub(super) use sam::{Part, together};

/// The masks of one stage.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let stage = || Stage::open(config, job, reporter);
    match &config.segmenter {
        Segmenter::Graph(own) => stage()?.each(|stage| Ok(graph::Maker::new(own, stage))),
        Segmenter::Files(own) => stage()?.each(|stage| files::Maker::open(own, stage)),
        Segmenter::Zero(own) => stage()?.each(|stage| Ok(zero::Maker::new(own, stage))),
        Segmenter::Other(own) => stage()?.each(|stage| other::Maker::open(own, stage)),
        Segmenter::Sam(sam) => sam::alone(&Part {
            config,
            sam,
            job,
            reporter,
        }),
    }
}

/// A stage of a batch, where its segmenter has a start that stages share.
pub(super) fn part<'a>(config: &'a Mask, job: &'a Job, reporter: &'a Reporter) -> Option<Part<'a>> {
    match &config.segmenter {
        Segmenter::Sam(sam) => Some(Part {
            config,
            sam,
            job,
            reporter,
        }),
        Segmenter::Graph(_) | Segmenter::Files(_) | Segmenter::Zero(_) | Segmenter::Other(_) => {
            None
        }
    }
}
