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
use std::time::Instant;

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
        let times = all_images(&mut stages);
        if let Err(error) = &times {
            for stage in &mut stages {
                stage.fail(error);
            }
        }
        let times = times.unwrap_or_default();
        let finish = |stage: Stage| {
            let mut facts = stage.finish()?;
            facts.extend(times.clone());
            Ok(facts)
        };
        stages.into_iter().map(finish).collect()
    })
}

/// All images through all stages that have not failed; how long it took, and how much of that images were waited for. An image
/// that every stage has already is not looked at.
fn all_images(stages: &mut [Stage<'_, '_>]) -> Result<FactMap, WorkError> {
    let Some(Part {
        config, sam, job, ..
    }) = stages.first().map(|s| s.part)
    else {
        return Ok(FactMap::new());
    };
    let images = Arc::new(Images::open(files::input(job, "images")?, config.source)?);
    for stage in stages.iter_mut() {
        stage.go_on(&images);
    }
    let is_wanted = |at: &usize| stages.iter().any(|stage| stage.wants(*at));
    let wanted: Vec<usize> = (0..images.len()).filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(FactMap::new());
    }
    let sam = load(sam, job)?;
    for note in &sam.notes {
        for stage in stages.iter() {
            stage.part.reporter.note(note.clone());
        }
    }
    let group = images_at_once(sam.device());
    let begin = Instant::now();
    let mut pictures = Pictures::new(&images, wanted, group, sam.config.img_size)?;
    // Nothing is computed for stages that have all failed.
    while stages.iter().any(Stage::goes_on) {
        let group = pictures.group()?;
        if group.is_empty() {
            break;
        }
        let (embeddings, failed) = embed(&sam, &group, &images);
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
        failed.map_or(Ok(()), Err)?;
    }
    Ok(FactMap::from([
        (
            "segmenting_seconds".into(),
            begin.elapsed().as_secs_f64().into(),
        ),
        ("data_wait_seconds".into(), pictures.waited().into()),
    ]))
}

/// Images that go through the encoder at once: a GPU computes several faster than one after the other.
fn images_at_once(device: tch::Device) -> usize {
    match device {
        tch::Device::Cpu => 1,
        _ => 8,
    }
}

/// The embeddings of a group, or of its images before the first that has none, and why it has none.
fn embed(sam: &Sam, group: &[Picture], images: &Images) -> (Vec<Embedding>, Option<WorkError>) {
    let scaled: Vec<&Scaled> = group.iter().map(|picture| &picture.scaled).collect();
    sam.embed_all(&scaled).map_or_else(
        |(n, error)| {
            let before = sam.embed_all(&scaled[..n]).unwrap_or_default();
            let error = WorkError::from(error).about(images.name(group[n].at));
            (before, Some(error))
        },
        |all| (all, None),
    )
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

#[cfg(test)]
mod tests;
