//! `train` and `tune`: one loop for both, from a start to weights, resumable at any moment.
//! Unaware of evaluation tables; the loop does not know whether it trains a backbone or SPT units.
//!
//! ```text
//!   pairs, masks ─> patches: batch(iteration), a pure function of seed and iteration
//!                       |
//!   state: trainable weights, Adam's moments, iteration, best so far, log   <── partial/<key>/state/state.safetensors,
//!                       |                                  else before.safetensors: each carries its own digest
//!                       |
//!   loop: batch ─> forward ─> loss ─> Adam ─> log ─> validate? ─> checkpoint? ─> converged?
//!                       |
//!   weights.safetensors, model.json, steps.csv
//! ```
//!
//! No random state is kept: the data of an iteration depend on seed and iteration alone, so a resumed run sees what an
//! uninterrupted one sees, and ends with the same bytes on the CPU with the same number of threads.

mod batch;
mod patches;
mod run;
mod seal;
mod state;
mod step;
mod validation;

use spec::Job;
use spec::kinds::{Train, Tune};
use spec::names::Scheme;

pub use batch::{Batch, Batches};

use super::facts::FactMap;
use artifacts::SptCard;

use super::model::{self, Model};
use super::{Reporter, WorkError, files};
use crate::nn::{params, spt};

/// `train`: a backbone from scratch, or from the weights of another stage.
pub(super) fn train(config: &Train, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let device = model::device(job.device);
    let model = Model::new(&config.backbone, None, device);
    match job.inputs.get("from") {
        Some(folder) => model.take_backbone(&Model::load(folder, device)?.0)?,
        None => params::draw(&model.backbone, config.schedule.seed),
    }
    run::run(&run::Training {
        model,
        card: None,
        scheme: "train",
        schedule: &config.schedule,
        job,
        reporter,
    })
}

/// `tune`: SPT units on a frozen backbone, or full fine-tuning.
pub(super) fn tune(config: &Tune, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let device = model::device(job.device);
    let (start, _) = Model::load(files::input(job, "backbone")?, device)?;
    let (model, card) = match config.scheme {
        Scheme::Full => (start, None),
        Scheme::Spt => {
            let card = spt_card(config, job, start.architecture.blocks())?;
            let model = Model::new(&start.architecture, Some(&card), device);
            model.take_backbone(&start)?;
            if let Some(units) = &model.units {
                spt::initialise(units, config.init, config.schedule.seed);
            }
            (model, Some(card))
        }
    };
    let scheme = config.scheme.as_str();
    run::run(&run::Training {
        model,
        card,
        scheme,
        schedule: &config.schedule,
        job,
        reporter,
    })
}

fn spt_card(config: &Tune, job: &Job, blocks: u32) -> Result<SptCard, WorkError> {
    let masks = artifacts::MaskList::read(files::input(job, "masks")?)?;
    Ok(SptCard {
        masks: masks.count as u32,
        units: config.locations.unwrap_or(blocks),
        alpha: config.alpha,
        variant: config.variant,
        share: config.share,
    })
}
