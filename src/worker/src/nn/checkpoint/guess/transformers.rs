//! Which ART or CAT a file of weights looks like.
//! Unaware of other networks.

use tch::nn::Path;

use super::recognised::{Build, Recognised, all_numbers, count, size, unless};
use crate::nn::art::{self, Art};
use crate::nn::cat::{self, Cat};
use crate::nn::checkpoint::Shapes;
use crate::nn::transformer::Upsampler;

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

/// ART-S has half the hidden channels in its MLPs; its other difference, the interval, shows in no shape.
pub(super) fn art(found: &Shapes) -> Option<Recognised> {
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
        &format!("art: {{{}{interval}}}", it.fields()),
        it.is_known(1..=4, found).then_some(&build as Build<'_>),
        found,
        "`interval` and `window` show in no weight".to_owned(),
    ))
}

/// Regular blocks store an index of their positions; the split sizes of axial ones show in their masks, where those are
/// stored.
pub(super) fn cat(found: &Shapes) -> Option<Recognised> {
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
        &format!(
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
