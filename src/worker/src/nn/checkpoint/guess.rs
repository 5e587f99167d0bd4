//! Which network a file of weights looks like, from its names and shapes, for hints and for `pipeline inspect`.
//! Unaware of the model that was wanted. A configuration is named only after its names and shapes were compared with the
//! file's.

mod dncnn;
mod recognised;
mod sam;
mod transformers;

use tch::nn::Path;

use super::entry::Shapes;
use crate::nn::imdn::{self, Imdn};
use recognised::{Build, all_numbers, count, size, unless};

pub use recognised::Recognised;
pub use transformers::cat_split;

/// What the tensors seem to be the weights of, wherever in the file they stand.
pub fn recognise(found: &Shapes) -> Option<Recognised> {
    let by_mark = |(mark, read): &(&str, Read)| {
        let prefix = found.keys().find_map(|name| name.strip_suffix(mark))?;
        if !(prefix.is_empty() || prefix.ends_with('.')) {
            return None;
        }
        let behind = found.iter().filter_map(|(name, shape)| {
            Some((name.strip_prefix(prefix)?.to_owned(), shape.clone()))
        });
        let mut recognised = read(&behind.collect())?;
        prefix.clone_into(&mut recognised.prefix);
        Some(recognised)
    };
    MARKS.iter().find_map(by_mark)
}

type Read = fn(&Shapes) -> Option<Recognised>;

/// A name that one kind of network has, and what reads the rest.
const MARKS: [(&str, Read); 7] = [
    ("IMDB1.c1.weight", imdn),
    ("image_encoder.pos_embed", sam::sam),
    ("vision_encoder.pos_embed", sam::sam),
    ("before_RG.1.weight", transformers::cat),
    ("patch_embed.norm.weight", transformers::art),
    ("head.0.weight", spt),
    ("model.0.weight", dncnn::dncnn),
];

/// IMDN: the scale shows in the channels of its last convolution, s²·3.
fn imdn(found: &Shapes) -> Option<Recognised> {
    let width = size(found, "fea_conv.weight", 0)?;
    let blocks = count(found, |i| format!("IMDB{}.c1.weight", i + 1));
    let channels = size(found, "upsampler.0.weight", 0)?;
    let Some(scale) = (2..=4).find(|s| s * s * 3 == channels) else {
        return Some(Recognised::unknown(
            "IMDN",
            format!("its last convolution has {channels} channels, those of no scale from 2 to 4"),
        ));
    };
    let config = imdn::Config {
        nf: width,
        num_modules: blocks as i64,
        ..imdn::Config::published(scale)
    };
    let build = |p: &Path<'_>| Imdn::new(p, &config).into();
    let yaml = format!(
        "imdn: {{scale: {scale}{}{}}}",
        unless("width", &width, &64),
        unless("blocks", &blocks, &6)
    );
    let is_known = width % 16 == 0 && (16..=512).contains(&width) && (1..=32).contains(&blocks);
    let numbers = blocks as i64 * 9 * width * width;
    Some(Recognised::checked(
        &format!("IMDN ×{scale}"),
        &yaml,
        (is_known && numbers <= all_numbers(found)).then_some(&build as Build<'_>),
        found,
        String::new(),
    ))
}

/// SPT units: the number of masks shows in the head.
fn spt(found: &Shapes) -> Option<Recognised> {
    let has = |i: &usize| {
        let prefix = format!("units.{i}.");
        found.keys().any(|name| name.starts_with(&prefix))
    };
    let units = (0..1000).take_while(has).count();
    if units == 0 {
        return None;
    }
    let masks = size(found, "head.0.weight", 1).map(|n| format!(" for {} masks", n - 3));
    Some(Recognised::unknown(
        &format!(
            "the weights of {units} SPT units{}",
            masks.unwrap_or_default()
        ),
        String::new(),
    ))
}
