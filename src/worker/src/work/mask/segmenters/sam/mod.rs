//! Masks by Segment Anything: one model for a batch of stages, one embedding an image, a grid a stage.
//! Unaware of processes and of how the networks compute.
//!
//! ```text
//!   pictures ── decoded, scaled ahead ──> embed ─┬─ stage 1: generate ── masks ──> behind: order, encode, keep ─┐
//!                                                ├─ stage 2: …                                                  ├─> each stage's list
//!                                                └─ stage 3: …                                                  ┘
//! ```
//!
//! SAM computes one image (a GPU: one group of them) while a thread of its own decodes and scales the next one, and others
//! encode and keep each stage's masks of the last one. No more is held: who is behind is waited for.
//!
//! What goes wrong with the model or with an image is every stage's failure; what goes wrong in a stage is its own. What a
//! stage has finished it keeps, so that the next try after a kill goes on from there.

mod part;
mod pictures;
mod stage;

use std::sync::Arc;

use spec::Job;
use spec::segmenters::Sam as Settings;

use self::pictures::{Picture, Pictures};
use self::stage::{Image, Stage};
use crate::nn::checkpoint;
use crate::nn::sam::{Config, Embedding, Sam, SamError, Scaled};
use crate::work::facts::FactMap;
use crate::work::mask::images::Images;
use crate::work::model::device;
use crate::work::outside::Reader;
use crate::work::{WorkError, files, memory, numbers};

pub(in crate::work) use self::part::Part;

/// One stage by itself.
pub(super) fn alone(part: &Part<'_>) -> Result<FactMap, WorkError> {
    let mut results = together(std::slice::from_ref(part));
    results.pop().unwrap_or_else(|| Ok(FactMap::new()))
}

/// Stages over the same images with the same model, a result for each.
pub(in crate::work) fn together(parts: &[Part<'_>]) -> Vec<Result<FactMap, WorkError>> {
    std::thread::scope(|scope| {
        let mut stages: Vec<Stage> = parts.iter().map(|part| Stage::new(part, scope)).collect();
        if let Err(error) = all_images(&mut stages) {
            for stage in &mut stages {
                stage.fail(&error);
            }
        }
        stages.into_iter().map(Stage::finish).collect()
    })
}

/// All images through all stages that have not failed. An image that every stage has already is not looked at.
fn all_images(stages: &mut [Stage<'_, '_>]) -> Result<(), WorkError> {
    let Some(Part {
        config, sam, job, ..
    }) = stages.first().map(|s| s.part)
    else {
        return Ok(());
    };
    let images = Arc::new(Images::open(files::input(job, "images")?, config.source)?);
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
    let group = images_at_once(sam.device());
    let mut pictures = Pictures::new(&images, wanted, group, sam.config.img_size)?;
    // Nothing is computed for stages that have all failed.
    while stages.iter().any(Stage::goes_on) {
        let group = pictures.group()?;
        if group.is_empty() {
            break;
        }
        let embeddings = embed(&sam, &group, &images)?;
        for (picture, embedding) in group.iter().zip(&embeddings) {
            let image = Image {
                at: picture.at,
                entry: images.entry(picture.at),
                picture: &picture.image,
                embedding,
            };
            for stage in stages.iter_mut() {
                stage.add(&sam, &image, images.len())?;
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

fn embed(sam: &Sam, group: &[Picture], images: &Images) -> Result<Vec<Embedding>, WorkError> {
    let scaled: Vec<&Scaled> = group.iter().map(|picture| &picture.scaled).collect();
    sam.embed_all(&scaled)
        .map_err(|(n, error)| WorkError::from(error).about(images.name(group[n].at)))
}

/// The model with its weights, if it fits into memory.
fn load(settings: &Settings, job: &Job) -> Result<Sam, WorkError> {
    numbers::check_sam(settings.precision, job.device)?;
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

impl From<SamError> for WorkError {
    fn from(error: SamError) -> Self {
        Self::from_library(&error)
    }
}
