//! A `mask` stage that makes the masks of one image after the other, several images at once.
//! Unaware of which segmenter makes them.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifacts::MaskEntry;
use pixels::{MaskStack, check_memory, memory_budget};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::Mask;

use crate::work::facts::FactMap;
use crate::work::mask::images::Images;
use crate::work::mask::output;
use crate::work::{Reporter, WorkError, files as folders, memory};

/// Makes masks of one image after the other, several at once.
pub(super) trait Segment: Sync {
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
pub(super) struct Stage<'a> {
    pub config: &'a Mask,
    pub job: &'a Job,
    pub reporter: &'a Reporter,
    pub images: Images,
}

impl<'a> Stage<'a> {
    pub fn open(config: &'a Mask, job: &'a Job, reporter: &'a Reporter) -> Result<Self, WorkError> {
        let images = Images::open(folders::input(job, "images")?, config.source)?;
        Ok(Self {
            config,
            job,
            reporter,
            images,
        })
    }

    /// The masks of all images, an image a thread, by what `open` gives.
    pub fn each<'s, S: Segment + 's>(
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
    pub fn filled(&self, at: usize, masks: Vec<pixels::Rle>) -> Result<MaskStack, WorkError> {
        let (width, height) = self.images.size(at);
        Ok(MaskStack::new(width, height, self.config.count(), masks)?)
    }
}
