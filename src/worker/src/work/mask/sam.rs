//! Masks by Segment Anything: one model for a batch of stages, one embedding an image, a grid a stage.
//! Unaware of processes and of how the networks compute.
//!
//! ```text
//!   load ─> image ─> embed ─┬─ stage 1: generate, order, write ─┐
//!             ^             ├─ stage 2: …                       ├─> next image; at last each stage's list
//!             |             └─ stage 3: …                       │
//!             └─────────────────────────────────────────────────┘
//! ```
//!
//! What goes wrong with the model or with an image is every stage's failure; what goes wrong in a stage is its own.

use pixels::{MaskStack, Rgb8};
use spec::Job;
use spec::kinds::{Mask, Sam as Settings};

use super::images::Images;
use super::output;
use super::records::{Records, ordered};
use crate::nn::sam::{Config, Embedding, Generator, Params, Sam, SamError};
use crate::work::entry::FactMap;
use crate::work::masks::MaskEntry;
use crate::work::model::device;
use crate::work::{Reporter, WorkError, files, memory};

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

/// All images through all stages that have not failed.
fn all_images(stages: &mut [Stage<'_>]) -> Result<(), WorkError> {
    let Some(Part {
        config, sam, job, ..
    }) = stages.first().map(|s| s.part)
    else {
        return Ok(());
    };
    let images = Images::open(files::input(job, "images")?, config.of)?;
    let sam = load(sam, job)?;
    let at_once = images_at_once(sam.device());
    for first in (0..images.len()).step_by(at_once) {
        let some = first..(first + at_once).min(images.len());
        let pictures = some
            .clone()
            .map(|at| images.image(at))
            .collect::<Result<Vec<Rgb8>, WorkError>>()?;
        let embeddings = embed(&sam, &pictures, &images, first)?;
        for ((at, picture), embedding) in some.zip(&pictures).zip(&embeddings) {
            let image = Image {
                name: images.name(at),
                picture,
                embedding,
            };
            for stage in stages.iter_mut() {
                stage.add(&sam, &image, (at + 1, images.len()))?;
            }
        }
    }
    Ok(())
}

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
    first: usize,
) -> Result<Vec<Embedding>, WorkError> {
    sam.embed_all(pictures)
        .map_err(|(n, error)| WorkError::from(error).about(images.name(first + n)))
}

/// The model with its weights, if it fits into memory.
fn load(settings: &Settings, job: &Job) -> Result<Sam, WorkError> {
    let config = Config::of(&settings.model);
    memory::enough_for(
        config.bytes(),
        &format!("the weights of SAM ({})", settings.model.name()),
    )?;
    Ok(Sam::load(
        &settings.weights,
        &config,
        device(job.device),
        settings.precision,
    )?)
}

/// An image and what the encoder saw in it.
struct Image<'a> {
    name: &'a str,
    picture: &'a Rgb8,
    embedding: &'a Embedding,
}

/// A stage on its way: its entries, or why it failed.
struct Stage<'a> {
    part: &'a Part<'a>,
    entries: Result<Vec<MaskEntry>, WorkError>,
}

impl<'a> Stage<'a> {
    fn new(part: &'a Part<'a>) -> Self {
        Self {
            part,
            entries: output::begin(part.job).map(|()| Vec::new()),
        }
    }

    fn fail(&mut self, error: &WorkError) {
        if self.entries.is_ok() {
            self.entries = Err(error.clone());
        }
    }

    /// Segments an image, unless the stage has failed. A request to stop is everybody's.
    fn add(
        &mut self,
        sam: &Sam,
        image: &Image<'_>,
        progress: (usize, usize),
    ) -> Result<(), WorkError> {
        self.part.reporter.check_stop()?;
        if let Ok(entries) = &mut self.entries {
            match segment(self.part, sam, image) {
                Ok(entry) => entries.push(entry),
                Err(error) => self.entries = Err(error.about(image.name)),
            }
            self.part.reporter.images(progress.0, progress.1);
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
        output::finish(job, config.count(), self.entries?, reporter)
    }
}

fn segment(part: &Part<'_>, sam: &Sam, image: &Image<'_>) -> Result<MaskEntry, WorkError> {
    let (count, settings) = (part.config.count(), part.sam);
    let generator = Generator::new(Params::of(settings, part.config.grid()))?;
    let (masks, tally) = generator.masks_and_tally(sam, image.picture, image.embedding)?;
    let masks = ordered(masks, settings.order);
    let records = Records::new(&masks, count);
    files::write_json(
        &part.job.out.join(format!("masks/{}.json", image.name)),
        &records,
    )?;
    let (width, height) = image.picture.size();
    let runs = masks.into_iter().map(|mask| mask.segmentation).collect();
    let stack = MaskStack::new(width, height, count, runs)?;
    let entry = output::write(part.job, image.name, &stack)?;
    Ok(MaskEntry {
        tally: Some(tally),
        ..entry
    })
}

impl From<SamError> for WorkError {
    fn from(error: SamError) -> Self {
        Self::from_library(&error)
    }
}
