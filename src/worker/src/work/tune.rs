//! `tune`: SPT units on a frozen backbone, or full fine-tuning.
//! Unaware of the loop.

use artifacts::{MaskList, SptCard};
use spec::Job;
use spec::kinds::Tune;
use spec::names::Scheme;

use super::facts::FactMap;
use super::model::{self, Model};
use super::outside::Reader;
use super::training::{self, Training};
use super::{Reporter, WorkError, files};
use crate::nn::spt;

/// Writes `weights.safetensors`, `model.json` and `steps.csv`.
pub(super) fn run(config: &Tune, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let device = model::device(job.device);
    let (start, _) = Model::load(
        files::input(job, "backbone")?,
        Reader::new(&job.outside),
        device,
    )?;
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
    training::run(&Training {
        model,
        card,
        scheme,
        schedule: &config.schedule,
        job,
        reporter,
    })
}

fn spt_card(config: &Tune, job: &Job, blocks: u32) -> Result<SptCard, WorkError> {
    let masks = MaskList::read(files::input(job, "masks")?)?;
    Ok(SptCard {
        masks: masks.count as u32,
        units: config.num_units.unwrap_or(blocks),
        alpha: config.alpha,
        variant: config.variant,
        share: config.share,
    })
}
