//! `pretrained`: reads a checkpoint of others, strictly, and hands it on by the official names.
//! Unaware of how it was trained. Nothing of a pickle is ever run (`nn::checkpoint`).

use spec::Job;
use spec::kinds::{Architecture, Pretrained};

use super::WorkError;
use super::entry::FactMap;
use super::model::{self, Model, ModelCard};
use crate::nn::{cat, checkpoint};

/// Writes `weights.safetensors` and `model.json`.
pub(super) fn run(config: &Pretrained, job: &Job) -> Result<FactMap, WorkError> {
    let is_cat = matches!(config.backbone, Architecture::Cat(_));
    let model = Model::new(&config.backbone, None, tch::Device::Cpu);
    checkpoint::open(&config.file)?
        .without(|name| is_cat && cat::is_buffer(name))
        .fill(&model.backbone)?;
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
