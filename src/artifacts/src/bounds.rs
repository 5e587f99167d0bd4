//! The numbers of an exported model's header are those that a pipeline file could have: networks are built from them.
//! Unaware of tensors.

use spec::segmenters::Segmenter;

use crate::mask_source::MaskSource;
use crate::model::{ModelCard, SptCard};

/// What of a header is out of range.
pub fn wrong(model: &ModelCard, source: Option<&MaskSource>) -> Option<String> {
    let network = &model.architecture;
    let size = network.wrong().into_iter().next();
    let size = size.map(|(field, why)| format!("backbone.{}.{field}: {why}", network.name()));
    let units = || units(model.spt.as_ref()?, network.blocks());
    let masks = || masks(source?);
    size.or_else(units).or_else(masks)
}

fn units(spt: &SptCard, blocks: u32) -> Option<String> {
    let SptCard {
        masks,
        units,
        alpha,
        variant: _,
        share: _,
    } = spt;
    if !(1..=blocks).contains(units) {
        return Some(format!("units: {units} is not in 1..={blocks}"));
    }
    if !spec::kinds::MASKS.contains(masks) {
        let most = spec::kinds::MASKS.end();
        return Some(format!("masks: {masks} is not in 1..={most}"));
    }
    (!alpha.is_finite()).then(|| format!("alpha: {alpha} is not a number"))
}

/// Nested sources are as many as JSON of a file may be deep.
fn masks(source: &MaskSource) -> Option<String> {
    let stage = source.mask.wrong().into_iter().next();
    let stage = stage.map(|(field, why)| format!("mask.{field}: {why}"));
    let sam = || match &source.mask.segmenter {
        Segmenter::Sam(sam) => {
            let (field, expected) = sam.wrong().into_iter().next()?;
            Some(format!("sam.{field}: expected {expected}"))
        }
        _ => None,
    };
    let of = || masks(source.of.as_ref()?);
    stage.or_else(sam).or_else(of)
}
