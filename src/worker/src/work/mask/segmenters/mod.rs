//! The segmenters: one file each makes the masks that its half in `spec::segmenters` describes.
//! Unaware of what the masks are for.
//!
//! To add one: its file here with a type that is a [`Segment`], and its line in [`run`] and [`part`].

mod files;
mod graph;
mod other;
mod sam;
mod zero;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifacts::MaskEntry;
use pixels::{MaskStack, check_memory, memory_budget};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::Mask;
use spec::segmenters::Segmenter;

use crate::work::facts::FactMap;
use crate::work::mask::images::Images;
use crate::work::mask::output;
use crate::work::{Reporter, WorkError, files as folders, memory};

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

/// Makes masks of one image after the other, several at once.
trait Segment: Sync {
    /// Memory that an image takes: bytes for each pixel, and bytes that all images take together at most.
    fn memory(&self) -> (u64, u64) {
        (2, 0)
    }

    /// The masks of image `at`.
    fn stack(&self, at: usize) -> Result<MaskStack, WorkError>;

    /// What is to be known when all masks are made.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A stage and its images.
struct Stage<'a> {
    config: &'a Mask,
    job: &'a Job,
    reporter: &'a Reporter,
    images: Images,
}

impl<'a> Stage<'a> {
    fn open(config: &'a Mask, job: &'a Job, reporter: &'a Reporter) -> Result<Self, WorkError> {
        let images = Images::open(folders::input(job, "images")?, config.source)?;
        Ok(Self {
            config,
            job,
            reporter,
            images,
        })
    }

    /// The masks of all images, an image a thread, by what `open` gives.
    fn each<'s, S: Segment + 's>(
        &'s self,
        open: impl FnOnce(&'s Self) -> Result<S, WorkError>,
    ) -> Result<FactMap, WorkError> {
        let maker = open(self)?;
        output::begin(self.job)?;
        let total = self.images.len();
        let done = AtomicUsize::new(0);
        let one = |at: usize| -> Result<MaskEntry, WorkError> {
            self.reporter.check_stop()?;
            let entry = output::write(self.job, self.images.entry(at), &maker.stack(at)?)?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.reporter.images(done, total);
            Ok(entry)
        };
        let mut entries: Vec<MaskEntry> = Vec::new();
        // Images that would not fit into memory side by side are segmented in smaller groups.
        for group in self.groups(maker.memory())? {
            let group: Vec<MaskEntry> = group.into_par_iter().map(one).collect::<Result<_, _>>()?;
            entries.extend(group);
        }
        for note in maker.notes() {
            self.reporter.note(note);
        }
        output::finish(self.job, self.config.count(), entries, self.reporter)
    }

    /// Consecutive images that may be worked on at once. Errors: where one alone takes too much memory.
    fn groups(&self, (bytes, shared): (u64, u64)) -> Result<Vec<Range<usize>>, WorkError> {
        let images = &self.images;
        for at in 0..images.len() {
            let what = format!("segmenting `{}`", images.name(at));
            check_memory(&what, images.size(at), bytes)?;
        }
        let need = |at: usize| {
            let (width, height) = images.size(at);
            let pixels = (width as u64) * (height as u64);
            // There are four edges of eight bytes a pixel, and no more of them are held than for a large image.
            pixels * bytes + shared.min(pixels * 4 * 8)
        };
        Ok(memory::groups((0..images.len()).map(need), memory_budget()))
    }

    /// Masks of image `at` in as many places as the stage has.
    fn filled(&self, at: usize, masks: Vec<pixels::Rle>) -> Result<MaskStack, WorkError> {
        let (width, height) = self.images.size(at);
        Ok(MaskStack::new(width, height, self.config.count(), masks)?)
    }
}
