//! Which network a file of weights looks like, from its names and shapes, for hints and for `pipeline inspect`.
//! Unaware of the model that was wanted. A configuration is named only after its names and shapes were compared with the
//! file's.

mod dncnn;
mod sam;
mod transformers;

use tch::Device;
use tch::nn::{Path, VarStore};

use super::entry::Shapes;
use crate::nn::backbone::Backbone;
use crate::nn::cat;
use crate::nn::imdn::{self, Imdn};

pub use transformers::cat_split;

/// What a file's tensors seem to be the weights of.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What stands before its names.
    pub prefix: String,
    /// The network and its scale, for people: `IMDN ×4`.
    pub title: String,
    /// What a pipeline file says to have exactly these names and shapes: `backbone: {…}`, or `model: …` of SAM.
    pub fits: Option<String>,
    /// What shows in no weight, or why no configuration has these.
    pub remark: String,
    /// What it expects of its input.
    pub input: &'static str,
    /// The names and shapes of that configuration.
    pub shapes: Shapes,
}

impl Recognised {
    /// As a hint goes on after "this looks like".
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        if let Some(fits) = &self.fits {
            text += &format!(": `{fits}` has its names and shapes");
        }
        if !self.remark.is_empty() {
            let joint = if self.fits.is_some() { "; " } else { ": " };
            text += &format!("{joint}{}", self.remark);
        }
        text
    }
}

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

/// What makes a network of some size at a path.
type Build<'a> = &'a dyn Fn(&Path<'_>) -> Backbone;

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

fn size(found: &Shapes, name: &str, dimension: usize) -> Option<i64> {
    found.get(name)?.get(dimension).copied()
}

/// How many of `name(0)`, `name(1)`, … are there.
fn count(found: &Shapes, name: impl Fn(usize) -> String) -> usize {
    (0..1000)
        .take_while(|i| found.contains_key(&name(*i)))
        .count()
}

/// The field, unless it is the published network's.
fn unless<T: PartialEq + std::fmt::Debug>(name: &str, value: &T, published: &T) -> String {
    if value == published {
        String::new()
    } else {
        format!(", {name}: {value:?}")
    }
}

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

fn all_numbers(found: &Shapes) -> i64 {
    let numbers = |shape: &Vec<i64>| shape.iter().fold(1_i64, |n, side| n.saturating_mul(*side));
    found.values().map(numbers).fold(0, i64::saturating_add)
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

/// RGB in [0, 1], as every backbone here takes it.
const UNIT_RGB: &str = "RGB, 0 to 1";

impl Recognised {
    fn unknown(title: &str, remark: String) -> Self {
        Self {
            prefix: String::new(),
            title: title.to_owned(),
            fits: None,
            remark,
            input: UNIT_RGB,
            shapes: Shapes::new(),
        }
    }

    /// With the configuration, if it is one that a pipeline file can say and has the file's names and shapes.
    fn checked(
        title: &str,
        yaml: &str,
        build: Option<Build<'_>>,
        found: &Shapes,
        remark: String,
    ) -> Self {
        let Some(build) = build else {
            let remark = format!("`{{{yaml}}}` is a size that this program does not have");
            return Self::unknown(title, remark);
        };
        let store = VarStore::new(Device::Cpu);
        let _net = build(&store.root());
        let own = super::shapes(&store);
        Self::compared(title, format!("backbone: {{{yaml}}}"), own, found, remark)
    }

    /// With what a pipeline file says, if the names and shapes of that are the file's.
    fn compared(title: &str, says: String, own: Shapes, found: &Shapes, remark: String) -> Self {
        match differences(&own, found) {
            0 => Self {
                fits: Some(says),
                shapes: own,
                ..Self::unknown(title, remark)
            },
            n => {
                let remark = format!("but {n} of its names or shapes differ from `{says}`");
                Self::unknown(title, remark)
            }
        }
    }
}

/// Names and shapes that only one of both has, without masks that are stored beside weights.
fn differences(own: &Shapes, found: &Shapes) -> usize {
    let lacking = own
        .iter()
        .filter(|(name, shape)| found.get(*name) != Some(shape));
    let unknown = found
        .keys()
        .filter(|name| !own.contains_key(*name) && !cat::is_buffer(name));
    lacking.count() + unknown.count()
}
