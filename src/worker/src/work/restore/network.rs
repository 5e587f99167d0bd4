//! The network that restores: the weights of a stage, an exported file, or SPT units from one and a backbone from another.
//! Unaware of photographs.

use std::path::Path;

use artifacts::{Contents, Exported};
use spec::backbones::Architecture;
use spec::names::Precision;
use spec::{Outside, Weights};
use tch::Device;

use crate::nn::checkpoint::Wanted;
use crate::nn::{cat, checkpoint};
use crate::work::WorkError;
use crate::work::model::Model;
use crate::work::outside::Reader;

/// The network of these weights, laid out for images, which are restored with these numbers.
pub(super) fn open(
    weights: &Weights,
    device: Device,
    precision: Precision,
) -> Result<Model, WorkError> {
    let model = match weights {
        Weights::Stage(folder) => Model::load(folder, Reader::new(&Outside::Any), device)?.0,
        Weights::Exported { file, backbone } => exported(file, backbone.as_deref(), device)?,
    };
    Ok(model.laid_out_for_images().computing_with(precision))
}

fn exported(file: &Path, backbone: Option<&Path>, device: Device) -> Result<Model, WorkError> {
    let card = Exported::read(file)?;
    let model = Model::new(&card.model.architecture, card.model.spt.as_ref(), device);
    let tensors = checkpoint::open(file)?.tensors()?;
    match (card.contents, backbone) {
        (Contents::Whole, _) => model.fill(tensors),
        (Contents::Units, Some(path)) => {
            fill_backbone(&model, &card.model.architecture, path)?;
            check_base(&model, &card, path)?;
            model.fill_units(tensors)
        }
        (Contents::Units, None) => Err("it holds SPT units without a backbone".into()),
    }
    .map_err(|why| {
        WorkError::new(
            format!("`{}` does not fit its header: {why}", ::files::Name(file)),
            "export it again",
        )
    })?;
    Ok(model)
}

/// The backbone's weights from a file of others, by their official names.
fn fill_backbone(model: &Model, size: &Architecture, path: &Path) -> Result<(), WorkError> {
    let is_cat = matches!(size, Architecture::Cat(_));
    let (weights, _) = checkpoint::open(path)?.network(&Wanted {
        shapes: checkpoint::shapes(&model.backbone),
        rename: &str::to_owned,
        ignored: &|name| is_cat && cat::is_buffer(name),
        entry: None,
    })?;
    Ok(weights.fill(&model.backbone)?)
}

/// Units that were tuned on other weights give a picture, and a wrong one.
fn check_base(model: &Model, card: &Exported, path: &Path) -> Result<(), WorkError> {
    let found = model.backbone_digest().to_string();
    match &card.base {
        Some(base) if *base != found => Err(WorkError::new(
            format!(
                "the units were tuned on other weights than those of `{}`: these have the digest {found}, and the units \
                 belong to {base}",
                ::files::Name(path)
            ),
            "give the file that the `pretrained` stage read",
        )),
        _ => Ok(()),
    }
}
