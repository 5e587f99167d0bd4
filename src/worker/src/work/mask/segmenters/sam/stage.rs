//! One stage of a batch: what it has of its images, and its masks of each as SAM comes to it.
//! Unaware of other stages, and of where images and embeddings come from.
//!
//! ```text
//!   add(image): generate ──> behind: order, encode, keep ──> settle, before the next one is handed over: its entry, or
//!                                                            why the stage failed
//! ```

use std::sync::Arc;
use std::thread::Scope;

use artifacts::{MaskEntry, PairEntry, Tally};
use pixels::{MaskStack, Rgb8};

use super::part::Part;
use crate::nn::sam::{Embedding, Generator, MaskRecord, Params, Sam};
use crate::work::WorkError;
use crate::work::behind::Behind;
use crate::work::facts::FactMap;
use crate::work::mask::images::Images;
use crate::work::mask::kept::{Found, Kept};
use crate::work::mask::output;
use crate::work::mask::records::{ordered, records};

/// An image and what the encoder saw in it.
pub(super) struct Image<'a> {
    /// Its place among all images.
    pub at: usize,
    pub entry: &'a PairEntry,
    pub picture: &'a Rgb8,
    pub embedding: &'a Embedding,
}

/// A stage on its way.
pub(super) struct Stage<'scope, 'env> {
    /// What it asks for.
    pub part: &'env Part<'env>,
    state: Result<Progress, WorkError>,
    scope: &'scope Scope<'scope, 'env>,
    /// The masks that are being kept: the place of their image, and its entry.
    behind: Option<Behind<'scope, (usize, MaskEntry)>>,
}

/// What a stage has of its images, while nothing went wrong.
struct Progress {
    kept: Arc<Kept>,
    /// One an image, once it is done.
    entries: Vec<Option<MaskEntry>>,
}

/// What SAM found in an image.
struct Segmented {
    masks: Vec<MaskRecord>,
    tally: Tally,
    size: (usize, usize),
}

impl<'scope, 'env> Stage<'scope, 'env> {
    /// A stage that has nothing yet. What fails here is its failure.
    pub fn new(part: &'env Part<'env>, scope: &'scope Scope<'scope, 'env>) -> Self {
        let begin = || {
            output::begin(part.job)?;
            Ok(Progress {
                kept: Arc::new(Kept::open(part.job)?),
                entries: Vec::new(),
            })
        };
        Self {
            part,
            state: begin(),
            scope,
            behind: None,
        }
    }

    /// Fails, unless it has already.
    pub fn fail(&mut self, error: &WorkError) {
        self.settle();
        if self.goes_on() {
            self.state = Err(error.clone());
        }
    }

    /// Whether nothing went wrong so far.
    pub const fn goes_on(&self) -> bool {
        self.state.is_ok()
    }

    /// Takes over what an earlier try has finished.
    pub fn go_on(&mut self, images: &Images) {
        let Ok(Progress { kept, entries }) = &mut self.state else {
            return;
        };
        let mut damaged = Vec::new();
        let mut read = |at: usize| match kept.read(images.entry(at)) {
            Found::Whole(entry) => Some(entry),
            Found::Nothing => None,
            Found::Damaged(why) => {
                damaged.push(format!("`{}` ({why})", images.name(at)));
                None
            }
        };
        *entries = (0..images.len()).map(&mut read).collect();
        if !damaged.is_empty() {
            self.part.reporter.note(format!(
                "masks of {} of {} images from an earlier try are damaged and were dropped: {}",
                damaged.len(),
                images.len(),
                some_of(&damaged)
            ));
        }
        let there = entries.iter().flatten().count();
        if there > 0 {
            let all = images.len();
            let note =
                format!("going on: {there} of {all} images were segmented by an earlier try");
            self.part.reporter.note(note);
        }
    }

    /// Whether image `at` has still to be segmented.
    pub fn wants(&self, at: usize) -> bool {
        self.state.as_ref().is_ok_and(|p| p.entries[at].is_none())
    }

    /// Segments an image, unless the stage has it or has failed; its masks are kept behind. A request to stop is everybody's.
    pub fn add(&mut self, sam: &Sam, image: &Image<'_>, total: usize) -> Result<(), WorkError> {
        self.part.reporter.check_stop()?;
        if !self.wants(image.at) {
            return Ok(());
        }
        let segmented = segment(self.part, sam, image);
        self.settle();
        let Ok(Progress { kept, .. }) = &self.state else {
            return Ok(());
        };
        let kept = Arc::clone(kept);
        let started = segmented.and_then(|masks| self.keep_behind(kept, image, masks, total));
        match started {
            Ok(behind) => self.behind = Some(behind),
            Err(error) => self.state = Err(error.about(&image.entry.name)),
        }
        Ok(())
    }

    /// Begins to keep the masks of an image; when they are kept, it is said.
    fn keep_behind(
        &self,
        kept: Arc<Kept>,
        image: &Image<'_>,
        masks: Segmented,
        total: usize,
    ) -> Result<Behind<'scope, (usize, MaskEntry)>, WorkError> {
        let (part, at, entry) = (self.part, image.at, image.entry.clone());
        Behind::start(self.scope, move || {
            let kept = keep(part, &kept, &entry, masks);
            let kept = kept.map_err(|error| error.about(&entry.name))?;
            part.reporter.images(at + 1, total);
            Ok((at, kept))
        })
    }

    /// Waits until the masks that were handed over last are kept.
    fn settle(&mut self) {
        let Some(behind) = self.behind.take() else {
            return;
        };
        let kept = behind.end();
        match (kept, &mut self.state) {
            (Ok((at, entry)), Ok(progress)) => progress.entries[at] = Some(entry),
            (Err(error), Ok(_)) => self.state = Err(error),
            (_, Err(_)) => {}
        }
    }

    /// Makes what was kept of all images the stage's output.
    pub fn finish(mut self) -> Result<FactMap, WorkError> {
        self.settle();
        let Part {
            config,
            job,
            reporter,
            ..
        } = self.part;
        let Progress { kept, entries } = self.state?;
        let entries: Vec<MaskEntry> = entries.into_iter().flatten().collect();
        // They may have lain there for hours.
        for entry in &entries {
            kept.check(entry)?;
        }
        kept.publish(job)?;
        output::finish(job, config.count(), entries, reporter)
    }
}

/// The first few of these.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = all[..all.len().min(SHOWN)].join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn segment(part: &Part<'_>, sam: &Sam, image: &Image<'_>) -> Result<Segmented, WorkError> {
    let generator = Generator::new(Params::of(part.sam, part.config.grid()))?;
    let (masks, tally) = generator.masks_and_tally(sam, image.picture, image.embedding)?;
    Ok(Segmented {
        masks,
        tally,
        size: image.picture.size(),
    })
}

/// Orders and encodes the masks of an image, and keeps them.
fn keep(
    part: &Part<'_>,
    kept: &Kept,
    image: &PairEntry,
    segmented: Segmented,
) -> Result<MaskEntry, WorkError> {
    let count = part.config.count();
    let masks = ordered(segmented.masks, part.sam.order);
    let records = records(&masks, count);
    let (width, height) = segmented.size;
    let runs = masks.into_iter().map(|mask| mask.segmentation).collect();
    let stack = MaskStack::new(width, height, count, runs)?;
    let entry = MaskEntry {
        tally: Some(segmented.tally),
        ..output::entry(image, &stack)
    };
    kept.write(&entry, &stack, &records)?;
    Ok(entry)
}
