//! Masks by Segment Anything: one model for a batch of stages, one embedding an image, a grid a stage.
//! Unaware of processes and of how the networks compute.
//!
//! ```text
//!   load ─> image ─> embed ─┬─ stage 1: generate, order, keep ──┐
//!             ^             ├─ stage 2: …                       ├─> next image; at last each stage's list
//!             |             └─ stage 3: …                       │
//!             └─────────────────────────────────────────────────┘
//! ```
//!
//! What goes wrong with the model or with an image is every stage's failure; what goes wrong in a stage is its own. What a
//! stage has finished it keeps, so that the next try after a kill goes on from there.

use artifacts::{MaskEntry, PairEntry};
use pixels::{MaskStack, Rgb8, check_memory};
use spec::Job;
use spec::kinds::Mask;
use spec::names::SamPrecision;
use spec::segmenters::Sam as Settings;

use crate::nn::checkpoint;
use crate::nn::sam::{Config, Embedding, Generator, Params, Sam, SamError};
use crate::work::facts::FactMap;
use crate::work::mask::images::Images;
use crate::work::mask::kept::{Found, Kept};
use crate::work::mask::output;
use crate::work::mask::records::{ordered, records};
use crate::work::model::device;
use crate::work::outside::Reader;
use crate::work::{Reporter, WorkError, files, memory, numbers};

/// A stage of a batch.
pub(in crate::work) struct Part<'a> {
    /// What it asks for.
    pub config: &'a Mask,
    /// What it asks of SAM.
    pub sam: &'a Settings,
    /// Where it works.
    pub job: &'a Job,
    /// How it says how it goes.
    pub reporter: &'a Reporter,
}

/// One stage by itself.
pub(super) fn alone(part: &Part<'_>) -> Result<FactMap, WorkError> {
    let mut results = together(std::slice::from_ref(part));
    results.pop().unwrap_or_else(|| Ok(FactMap::new()))
}

/// Stages over the same images with the same model, a result for each.
pub(in crate::work) fn together(parts: &[Part<'_>]) -> Vec<Result<FactMap, WorkError>> {
    let mut stages: Vec<Stage> = parts.iter().map(Stage::new).collect();
    if let Err(error) = all_images(&mut stages) {
        for stage in &mut stages {
            stage.fail(&error);
        }
    }
    stages.into_iter().map(Stage::finish).collect()
}

/// All images through all stages that have not failed. An image that every stage has already is not looked at.
fn all_images(stages: &mut [Stage<'_>]) -> Result<(), WorkError> {
    let Some(Part {
        config, sam, job, ..
    }) = stages.first().map(|s| s.part)
    else {
        return Ok(());
    };
    let images = Images::open(files::input(job, "images")?, config.source)?;
    for stage in stages.iter_mut() {
        stage.go_on(&images);
    }
    let is_wanted = |at: &usize| stages.iter().any(|stage| stage.wants(*at));
    let wanted: Vec<usize> = (0..images.len()).filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let sam = load(sam, job)?;
    for note in &sam.notes {
        for stage in stages.iter() {
            stage.part.reporter.note(note.clone());
        }
    }
    for some in wanted.chunks(images_at_once(sam.device())) {
        for &at in some {
            let what = format!("segmenting `{}`", images.name(at));
            check_memory(&what, images.size(at), IMAGE_BYTES * some.len() as u64)?;
        }
        let pictures = some
            .iter()
            .map(|&at| images.image(at))
            .collect::<Result<Vec<Rgb8>, WorkError>>()?;
        let embeddings = embed(&sam, &pictures, &images, some)?;
        for ((&at, picture), embedding) in some.iter().zip(&pictures).zip(&embeddings) {
            let image = Image {
                at,
                entry: images.entry(at),
                picture,
                embedding,
            };
            for stage in stages.iter_mut() {
                stage.add(&sam, &image, images.len())?;
            }
        }
    }
    Ok(())
}

/// Bytes for each pixel of an image besides its masks: the picture, a crop of it, its scaled copies, and a mask as a
/// picture while its small regions are removed.
const IMAGE_BYTES: u64 = 16;

/// Images that go through the encoder at once: a GPU computes several faster than one after the other.
fn images_at_once(device: tch::Device) -> usize {
    match device {
        tch::Device::Cpu => 1,
        _ => 8,
    }
}

fn embed(
    sam: &Sam,
    pictures: &[Rgb8],
    images: &Images,
    places: &[usize],
) -> Result<Vec<Embedding>, WorkError> {
    sam.embed_all(pictures)
        .map_err(|(n, error)| WorkError::from(error).about(images.name(places[n])))
}

/// The model with its weights, if it fits into memory.
fn load(settings: &Settings, job: &Job) -> Result<Sam, WorkError> {
    match settings.precision {
        SamPrecision::Fp32 => {}
        SamPrecision::Bf16 => numbers::check_bf16(job.device)?,
        SamPrecision::Fp16 => numbers::check_fp16(job.device)?,
    }
    let config = Config::of(&settings.model);
    memory::enough_for(
        config.bytes(),
        &format!("the weights of SAM ({})", settings.model.name()),
    )?;
    let path = &settings.weights;
    let data = Reader::new(&job.outside).open(path, config.bytes())?;
    Ok(Sam::with_weights(
        checkpoint::read(data, path)?,
        &config,
        device(job.device),
        settings.precision,
        settings.entry.as_deref(),
    )?)
}

/// An image and what the encoder saw in it.
struct Image<'a> {
    at: usize,
    entry: &'a PairEntry,
    picture: &'a Rgb8,
    embedding: &'a Embedding,
}

/// A stage on its way.
struct Stage<'a> {
    part: &'a Part<'a>,
    state: Result<Progress, WorkError>,
}

/// What a stage has of its images, while nothing went wrong.
struct Progress {
    kept: Kept,
    /// One an image, once it is done.
    entries: Vec<Option<MaskEntry>>,
}

impl<'a> Stage<'a> {
    fn new(part: &'a Part<'a>) -> Self {
        let begin = || {
            output::begin(part.job)?;
            Ok(Progress {
                kept: Kept::open(part.job)?,
                entries: Vec::new(),
            })
        };
        Self {
            part,
            state: begin(),
        }
    }

    fn fail(&mut self, error: &WorkError) {
        if self.state.is_ok() {
            self.state = Err(error.clone());
        }
    }

    /// Takes over what an earlier try has finished.
    fn go_on(&mut self, images: &Images) {
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
    fn wants(&self, at: usize) -> bool {
        self.state.as_ref().is_ok_and(|p| p.entries[at].is_none())
    }

    /// Segments an image, unless the stage has it or has failed. A request to stop is everybody's.
    fn add(&mut self, sam: &Sam, image: &Image<'_>, total: usize) -> Result<(), WorkError> {
        self.part.reporter.check_stop()?;
        if !self.wants(image.at) {
            return Ok(());
        }
        if let Ok(Progress { kept, entries }) = &mut self.state {
            match segment(self.part, sam, image, kept) {
                Ok(entry) => entries[image.at] = Some(entry),
                Err(error) => self.state = Err(error.about(&image.entry.name)),
            }
            self.part.reporter.images(image.at + 1, total);
        }
        Ok(())
    }

    fn finish(self) -> Result<FactMap, WorkError> {
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

fn segment(
    part: &Part<'_>,
    sam: &Sam,
    image: &Image<'_>,
    kept: &Kept,
) -> Result<MaskEntry, WorkError> {
    let (count, settings) = (part.config.count(), part.sam);
    let generator = Generator::new(Params::of(settings, part.config.grid()))?;
    let (masks, tally) = generator.masks_and_tally(sam, image.picture, image.embedding)?;
    let masks = ordered(masks, settings.order);
    let records = records(&masks, count);
    let (width, height) = image.picture.size();
    let runs = masks.into_iter().map(|mask| mask.segmentation).collect();
    let stack = MaskStack::new(width, height, count, runs)?;
    let entry = MaskEntry {
        tally: Some(tally),
        ..output::entry(image.entry, &stack)
    };
    kept.write(&entry, &stack, &records)?;
    Ok(entry)
}

impl From<SamError> for WorkError {
    fn from(error: SamError) -> Self {
        Self::from_library(&error)
    }
}
