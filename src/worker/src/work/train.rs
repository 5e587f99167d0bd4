//! `train`: a backbone from scratch, or from the weights of another stage.
//! Unaware of the loop.

use spec::Job;
use spec::kinds::Train;

use super::facts::FactMap;
use super::model::{self, Model};
use super::outside::Reader;
use super::training::{self, Training};
use super::{Reporter, WorkError};
use crate::nn::params;

/// Writes `weights.safetensors`, `model.json` and `steps.csv`.
pub(super) fn run(config: &Train, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let device = model::device(job.device);
    let model = Model::new(&config.backbone, None, device);
    match job.inputs.get("from") {
        Some(folder) => {
            model.take_backbone(&Model::load(folder, Reader::new(&job.outside), device)?.0)?;
        }
        None => params::draw(&model.backbone, config.schedule.seed),
    }
    training::run(&Training {
        model,
        card: None,
        scheme: "train",
        schedule: &config.schedule,
        job,
        reporter,
    })
}
