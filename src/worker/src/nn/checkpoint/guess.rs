//! Which network a file of weights looks like, from its names and shapes, for hints and for `pipeline inspect`.
//! Unaware of the model that was wanted. A configuration is named only after its names and shapes were compared with the
//! file's.

use tch::Device;
use tch::nn::{Path, VarStore};

use super::weights::Shapes;
use crate::nn::art::Art;
use crate::nn::backbone::Backbone;
use crate::nn::cat::Cat;
use crate::nn::imdn::Imdn;
use crate::nn::transformer::Upsampler;
use crate::nn::{art, cat, imdn, params};

/// What a file's tensors seem to be the weights of.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What stands before its names.
    pub prefix: String,
    /// The network and its scale, for people: `IMDN ×4`.
    pub title: String,
    /// The `backbone:` of a pipeline file that has exactly these names and shapes.
    pub backbone: Option<String>,
    /// What shows in no weight, or why no configuration has these.
    pub remark: String,
}

impl Recognised {
    /// As a hint goes on after "this looks like".
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        if let Some(backbone) = &self.backbone {
            text += &format!(": `backbone: {{{backbone}}}` has its names and shapes");
        }
        if !self.remark.is_empty() {
            let joint = if self.backbone.is_some() { "; " } else { ": " };
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
const MARKS: [(&str, Read); 6] = [
    ("IMDB1.c1.weight", imdn),
    ("image_encoder.pos_embed", sam),
    ("vision_encoder.pos_embed", sam),
    ("before_RG.1.weight", cat),
    ("patch_embed.norm.weight", art),
    ("head.0.weight", spt),
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
        yaml,
        (is_known && numbers <= all_numbers(found)).then_some(&build as Build<'_>),
        found,
        String::new(),
    ))
}

/// What ART and CAT have in common: `block` is the first part of a block's names, `bias` of its position bias.
struct Transformer {
    width: i64,
    depths: Vec<i64>,
    heads: i64,
    mlp_ratio: f64,
    scale: i64,
}

impl Transformer {
    fn read(found: &Shapes, norm: &str, blocks: &str, bias: &str) -> Option<Self> {
        let width = size(found, norm, 0)?;
        let of = |group: usize, block: usize| format!("layers.{group}.{blocks}.{block}");
        let groups = count(found, |i| format!("{}.norm1.weight", of(i, 0)));
        let depth = |i| count(found, |j| format!("{}.norm1.weight", of(i, j))) as i64;
        let hidden = size(found, &format!("{}.mlp.fc1.weight", of(0, 0)), 0)?;
        let first = size(found, "upsample.0.weight", 0);
        Some(Self {
            width,
            depths: (0..groups).map(depth).collect(),
            heads: size(found, &format!("{}.{bias}.pos3.2.weight", of(0, 0)), 0)?,
            mlp_ratio: hidden as f64 / width.max(1) as f64,
            scale: match (first, found.contains_key("upsample.2.weight")) {
                (Some(_), true) => 4,
                (Some(576), false) => 3,
                (Some(_), false) => 2,
                (None, _) => 1,
            },
        })
    }

    fn upsampler(&self) -> Upsampler {
        match self.scale {
            1 => Upsampler::None,
            _ => Upsampler::PixelShuffle,
        }
    }

    fn titled(&self, name: &str) -> String {
        match self.scale {
            1 => format!("{name} for denoising"),
            scale => format!("{name} ×{scale}"),
        }
    }

    /// Whether a pipeline file can say it, and the file has enough numbers for it to be true.
    fn is_known(&self, scales: std::ops::RangeInclusive<i64>, found: &Shapes) -> bool {
        let blocks: i64 = self.depths.iter().sum();
        let numbers = blocks
            .saturating_mul(3 * self.width)
            .saturating_mul(self.width);
        scales.contains(&self.scale)
            && (1..=64).contains(&self.heads)
            && (32..=1024).contains(&self.width)
            && self.width % self.heads == 0
            && (1..=32).contains(&self.depths.len())
            && self.depths.iter().all(|d| (1..=64).contains(d))
            && (0.1..=16.0).contains(&self.mlp_ratio)
            && numbers <= all_numbers(found)
    }

    fn fields(&self) -> String {
        let Self {
            width,
            depths,
            heads,
            mlp_ratio,
            scale,
        } = self;
        format!(
            "scale: {scale}{}{}{}{}",
            unless("width", width, &180),
            unless("depths", depths, &vec![6; 6]),
            unless("heads", heads, &6),
            unless("mlp_ratio", mlp_ratio, &4.0)
        )
    }
}

fn all_numbers(found: &Shapes) -> i64 {
    let numbers = |shape: &Vec<i64>| shape.iter().fold(1_i64, |n, side| n.saturating_mul(*side));
    found.values().map(numbers).fold(0, i64::saturating_add)
}

/// ART-S has half the hidden channels in its MLPs; its other difference, the interval, shows in no shape.
fn art(found: &Shapes) -> Option<Recognised> {
    let it = Transformer::read(
        found,
        "patch_embed.norm.weight",
        "residual_group.blocks",
        "attn.pos",
    )?;
    let is_small = (it.mlp_ratio - 2.0).abs() < 1e-9 && it.scale > 1;
    let interval = if is_small { 8 } else { 4 };
    let groups = it.depths.len();
    let config = art::Config {
        upscale: it.scale,
        embed_dim: it.width,
        depths: it.depths.clone(),
        num_heads: vec![it.heads; groups],
        interval: vec![interval; groups],
        mlp_ratio: it.mlp_ratio,
        upsampler: it.upsampler(),
        ..art::Config::default()
    };
    let build = |p: &Path<'_>| Art::new(p, &config).into();
    let interval = if is_small {
        format!(", interval: {:?}", vec![interval; groups])
    } else {
        String::new()
    };
    Some(Recognised::checked(
        &it.titled(if is_small { "ART-S" } else { "ART" }),
        format!("art: {{{}{interval}}}", it.fields()),
        it.is_known(1..=4, found).then_some(&build as Build<'_>),
        found,
        "`interval` and `window` show in no weight".to_owned(),
    ))
}

/// Regular blocks store an index of their positions; the split sizes of axial ones show in their masks, where those are
/// stored.
fn cat(found: &Shapes) -> Option<Recognised> {
    let it = Transformer::read(found, "before_RG.1.weight", "blocks", "attns.0.pos")?;
    let is_regular =
        |name: &String| name.ends_with(".rpe_biases") || name.ends_with(".relative_position_index");
    if found.keys().any(is_regular) {
        return Some(Recognised::unknown(
            &it.titled("CAT-R"),
            "its regular blocks are not in this program, which has the axial ones of CAT-A".into(),
        ));
    }
    let groups = it.depths.len();
    let stored: Option<Vec<i64>> = (0..groups)
        .map(|i| cat_split(found, i).map(|(split, _)| split))
        .collect();
    let published: Vec<i64> = (0..groups)
        .map(|i| if i * 2 < groups { 2 } else { 4 })
        .collect();
    let split = stored.clone().unwrap_or_else(|| published.clone());
    let config = cat::Config {
        upscale: it.scale,
        embed_dim: it.width,
        depth: it.depths.clone(),
        split_size_0: split.clone(),
        num_heads: vec![it.heads * 2; groups],
        mlp_ratio: it.mlp_ratio,
        upsampler: it.upsampler(),
        ..cat::Config::default()
    };
    let build = |p: &Path<'_>| Cat::new(p, &config).into();
    let is_wide = groups == 6 && split.iter().all(|s| *s == 4);
    let remark = match stored {
        Some(_) => String::new(),
        None => "`split` shows in no weight".to_owned(),
    };
    let fields = Transformer {
        heads: it.heads * 2,
        ..it
    };
    Some(Recognised::checked(
        &fields.titled(if is_wide { "CAT-A-2" } else { "CAT-A" }),
        format!(
            "cat: {{{}{}}}",
            fields.fields(),
            unless("split", &split, &published)
        ),
        fields.is_known(2..=4, found).then_some(&build as Build<'_>),
        found,
        remark,
    ))
}

/// The split size of a group of CAT's and the side of the images that it was built for (`img_size`), as the masks say
/// that the official code stores beside the weights: (side / split) windows of (side · split) tokens.
pub fn cat_split(found: &Shapes, group: usize) -> Option<(i64, i64)> {
    let mask = found.get(&format!("layers.{group}.blocks.1.attn_mask_0"))?;
    let [windows, tokens, others] = mask[..] else {
        return None;
    };
    let root = |square: i64| (1..=4096).find(|n| n * n == square);
    let side = root(windows.checked_mul(tokens)?)?;
    let split = root(tokens.checked_div(windows)?)?;
    (tokens == others && windows * split == side).then_some((split, side))
}

/// Segment Anything: the size shows in the width and the depth of the image encoder.
fn sam(found: &Shapes) -> Option<Recognised> {
    let (encoder, blocks) = if found.contains_key("image_encoder.pos_embed") {
        ("image_encoder", "blocks")
    } else {
        ("vision_encoder", "layers")
    };
    let position = found.get(&format!("{encoder}.pos_embed"))?;
    let width = *position.last()?;
    let depth = count(found, |i| format!("{encoder}.{blocks}.{i}.attn.qkv.weight"));
    let size = match (width, depth) {
        (768, 12) => " ViT-B",
        (1024, 24) => " ViT-L",
        (1280, 32) => " ViT-H",
        _ => "",
    };
    let remark = format!("its image encoder has width {width} and {depth} blocks");
    Some(Recognised::unknown(
        &format!("Segment Anything{size}"),
        remark,
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

impl Recognised {
    fn unknown(title: &str, remark: String) -> Self {
        Self {
            prefix: String::new(),
            title: title.to_owned(),
            backbone: None,
            remark,
        }
    }

    /// With the configuration, if it is one that a pipeline file can say and has the file's names and shapes.
    fn checked(
        title: &str,
        yaml: String,
        build: Option<Build<'_>>,
        found: &Shapes,
        remark: String,
    ) -> Self {
        let Some(build) = build else {
            let remark = format!("`{{{yaml}}}` is a size that this program does not have");
            return Self::unknown(title, remark);
        };
        match differences(build, found) {
            0 => Self {
                backbone: Some(yaml),
                ..Self::unknown(title, remark)
            },
            n => {
                let remark = format!("but {n} of its names or shapes differ from `{{{yaml}}}`");
                Self::unknown(title, remark)
            }
        }
    }
}

/// Names and shapes that only one of both has, without masks that are stored beside weights.
fn differences(build: Build<'_>, found: &Shapes) -> usize {
    let store = VarStore::new(Device::Cpu);
    let _net = build(&store.root());
    let own: Shapes = params::named(&store)
        .into_iter()
        .map(|(name, param)| (name, param.size()))
        .collect();
    let lacking = own
        .iter()
        .filter(|(name, shape)| found.get(*name) != Some(shape));
    let unknown = found
        .keys()
        .filter(|name| !own.contains_key(*name) && !cat::is_buffer(name));
    lacking.count() + unknown.count()
}
