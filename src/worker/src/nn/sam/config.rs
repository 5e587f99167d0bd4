//! The shape of a Segment Anything model, with the three published ones.
//! Unaware of weights, images and of how masks are generated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::segmenters::{SamModel, SamShape};

/// The shape of a model. Lengths are channels unless something else is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Side of the square that images are scaled into, pixels; a multiple of `patch_size`.
    pub img_size: i64,
    /// Side of a patch, pixels.
    pub patch_size: i64,
    /// Width of the image encoder.
    pub embed_dim: i64,
    /// Blocks of the image encoder.
    pub depth: usize,
    /// Attention heads of the image encoder; a divisor of `embed_dim`.
    pub num_heads: i64,
    /// Hidden width of the image encoder's MLPs, in widths.
    #[serde(default = "four")]
    pub mlp_ratio: f64,
    /// Side of an attention window, patches.
    pub window_size: i64,
    /// Blocks (0-based) that attend to the whole image.
    pub global_attn_indexes: Vec<usize>,
    /// Width C of the image embedding, of prompts and of the mask decoder.
    pub prompt_dim: i64,
    /// Hidden channels for mask prompts; a multiple of 4.
    pub mask_in_chans: i64,
    /// Layers of the mask decoder.
    pub dec_depth: usize,
    /// Hidden width of the mask decoder's MLPs.
    pub dec_mlp_dim: i64,
    /// Attention heads of the mask decoder.
    pub dec_heads: i64,
    /// Hidden width of the head that predicts the masks' IoU.
    pub iou_hidden: i64,
    /// Lengths of relative-position tables, by block, where they are not 2·side - 1: these are interpolated.
    #[serde(default)]
    pub rel_pos_lengths_overridden: BTreeMap<usize, i64>,
}

/// Mask tokens: one for unambiguous prompts, three for ambiguous ones (official `num_multimask_outputs` + 1).
pub const MASK_TOKENS: i64 = 4;
/// Linear layers of each small head of the mask decoder (official `iou_head_depth`).
pub const HEAD_LAYERS: usize = 3;
/// How much narrower cross-attention is than the decoder (official `attention_downsample_rate`).
pub const NARROWING: i64 = 2;

fn four() -> f64 {
    4.0
}

impl Config {
    /// The published ViT-B, `sam_vit_b_01ec64.pth` (official `build_sam.py`, `build_sam_vit_b`).
    pub fn vit_b() -> Self {
        Self::published(768, 12, 12, [2, 5, 8, 11])
    }

    /// The published ViT-L, `sam_vit_l_0b3195.pth` (official `build_sam.py`, `build_sam_vit_l`).
    pub fn vit_l() -> Self {
        Self::published(1024, 24, 16, [5, 11, 17, 23])
    }

    /// The published ViT-H, `sam_vit_h_4b8939.pth` (official `build_sam.py`, `build_sam_vit_h`), the official default.
    pub fn vit_h() -> Self {
        Self::published(1280, 32, 16, [7, 15, 23, 31])
    }

    /// The shape that a pipeline file names.
    pub fn of(model: &SamModel) -> Self {
        match model {
            SamModel::VitB => Self::vit_b(),
            SamModel::VitL => Self::vit_l(),
            SamModel::VitH => Self::vit_h(),
            SamModel::Custom(shape) => Self::custom(shape),
        }
    }

    fn custom(shape: &SamShape) -> Self {
        Self {
            img_size: shape.img_size.into(),
            patch_size: shape.patch_size.into(),
            embed_dim: shape.embed_dim.into(),
            depth: shape.depth as usize,
            num_heads: shape.num_heads.into(),
            mlp_ratio: shape.mlp_ratio.into(),
            window_size: shape.window_size.into(),
            global_attn_indexes: shape
                .global_attn_indexes
                .iter()
                .map(|&i| i as usize)
                .collect(),
            prompt_dim: shape.prompt_dim.into(),
            mask_in_chans: shape.mask_in_chans.into(),
            dec_depth: shape.dec_depth as usize,
            dec_mlp_dim: shape.dec_mlp_dim.into(),
            dec_heads: shape.dec_heads.into(),
            iou_hidden: shape.iou_hidden.into(),
            rel_pos_lengths_overridden: BTreeMap::new(),
        }
    }

    /// Bytes of the image encoder's large matrices in float32: nearly all of the model, and never more than it.
    pub fn bytes(&self) -> u64 {
        let (width, hidden) = (self.embed_dim as u64, self.mlp_dim() as u64);
        let block = width.saturating_mul(4 * width + 2 * hidden);
        block.saturating_mul(self.depth as u64).saturating_mul(4)
    }

    /// What the three published models share (official `build_sam.py`, `_build_sam`).
    fn published(embed_dim: i64, depth: usize, num_heads: i64, global: [usize; 4]) -> Self {
        Self {
            img_size: 1024,
            patch_size: 16,
            embed_dim,
            depth,
            num_heads,
            mlp_ratio: four(),
            window_size: 14,
            global_attn_indexes: global.to_vec(),
            prompt_dim: 256,
            mask_in_chans: 16,
            dec_depth: 2,
            dec_mlp_dim: 2048,
            dec_heads: 8,
            iou_hidden: 256,
            rel_pos_lengths_overridden: BTreeMap::new(),
        }
    }

    /// Patches a side: the side of the image embedding.
    pub fn grid(&self) -> i64 {
        self.img_size / self.patch_size
    }

    /// Side of the masks that the decoder gives.
    pub fn low_res(&self) -> i64 {
        4 * self.grid()
    }

    /// Hidden width of the image encoder's MLPs.
    pub fn mlp_dim(&self) -> i64 {
        (self.embed_dim as f64 * self.mlp_ratio) as i64
    }

    /// The window of block `i`; nothing where it attends to the whole image.
    pub fn window(&self, i: usize) -> Option<i64> {
        (self.window_size > 0 && !self.global_attn_indexes.contains(&i)).then_some(self.window_size)
    }

    /// Length of block `i`'s relative-position tables.
    pub fn rel_pos_length(&self, i: usize) -> i64 {
        let side = self.window(i).unwrap_or_else(|| self.grid());
        let own = self.rel_pos_lengths_overridden.get(&i);
        own.copied().unwrap_or(2 * side - 1)
    }
}
