//! A guess at what a file of weights is, from its names and shapes, for messages only.
//! Unaware of the model that was wanted.

use super::weights::Shapes;

/// What the tensors seem to be the weights of.
pub(super) fn describe(found: &Shapes) -> Option<String> {
    imdn(found)
        .or_else(|| sam(found))
        .or_else(|| transformer(found))
        .or_else(|| spt(found))
}

fn has(found: &Shapes, prefix: &str) -> bool {
    found.keys().any(|name| name.starts_with(prefix))
}

/// IMDN: the scale shows in the channels of its last convolution, s²·3.
fn imdn(found: &Shapes) -> Option<String> {
    let channels = *found.get("upsampler.0.weight")?.first()?;
    found.get("IMDB1.c1.weight")?;
    let scale = (1..=8).find(|s| s * s * 3 == channels);
    let scale = scale.map_or_else(|| "of an unknown scale".to_owned(), |s| format!("×{s}"));
    Some(format!(
        "IMDN {scale}: upsampler.0 has {channels} output channels"
    ))
}

/// Segment Anything: the size shows in the width of the image encoder.
fn sam(found: &Shapes) -> Option<String> {
    let width = *found.get("image_encoder.pos_embed")?.last()?;
    let size = match width {
        768 => " ViT-B",
        1024 => " ViT-L",
        1280 => " ViT-H",
        _ => "",
    };
    Some(format!(
        "Segment Anything{size}: its image encoder has width {width}"
    ))
}

/// ART and CAT: the scale shows in the convolutions before the last one.
fn transformer(found: &Shapes) -> Option<String> {
    let name = art(found).or_else(|| cat(found))?;
    let first = found
        .get("upsample.0.weight")
        .and_then(|size| size.first().copied());
    let scale = match (first, found.contains_key("upsample.2.weight")) {
        (Some(_), true) => "×4",
        (Some(576), false) => "×3",
        (Some(_), false) => "×2",
        (None, _) => "for denoising",
    };
    Some(format!("{name} {scale}"))
}

/// ART-S has half the hidden channels in its MLPs; its other difference, the interval, shows in no shape.
fn art(found: &Shapes) -> Option<&'static str> {
    let width = found.get("patch_embed.norm.weight")?.first()?;
    let hidden = found.get("layers.0.residual_group.blocks.0.mlp.fc1.weight");
    let small = hidden.is_some_and(|size| size.first() == Some(&(2 * width)));
    Some(if small { "ART-S" } else { "ART" })
}

/// Regular blocks store an index of their positions; the split sizes of axial ones show in no parameter.
fn cat(found: &Shapes) -> Option<&'static str> {
    found.get("before_RG.1.weight")?;
    let regular = found.keys().any(|name| name.ends_with(".rpe_biases"));
    Some(if regular { "CAT-R" } else { "CAT-A" })
}

/// SPT units: the number of masks shows in the head.
fn spt(found: &Shapes) -> Option<String> {
    let units = (0..1000)
        .take_while(|i| has(found, &format!("units.{i}.")))
        .count();
    if units == 0 {
        return None;
    }
    let masks = found
        .get("head.0.weight")
        .and_then(|size| size.get(1))
        .map(|n| format!(" for {} masks", n - 3));
    Some(format!(
        "the weights of {units} SPT units{}",
        masks.unwrap_or_default()
    ))
}
