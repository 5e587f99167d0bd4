//! `pretrained`: reads a checkpoint of others, strictly, and hands it on by the official names.
//! Unaware of how it was trained. Nothing of a pickle is ever run (`nn::checkpoint`).

use spec::Job;
use spec::kinds::Pretrained;

use super::WorkError;
use super::entry::FactMap;
use super::model::{self, Model, ModelCard};
use crate::nn::checkpoint;

/// Writes `weights.safetensors` and `model.json`.
pub(super) fn run(config: &Pretrained, job: &Job) -> Result<FactMap, WorkError> {
    let model = Model::new(&config.backbone, None, tch::Device::Cpu);
    checkpoint::load_into(&config.file, &model.backbone)?;
    let card = ModelCard {
        architecture: config.backbone.clone(),
        spt: None,
        scheme: "pretrained".into(),
        iterations: None,
        iterations_run: None,
        trainable: None,
        parameters: model.parameters(),
        validation_psnr: None,
    };
    model::save(&job.out, &model.snapshot(), &card)?;
    Ok(FactMap::new())
}
