//! The sizes of Segment Anything: those that Meta published, and any other.
//! Unaware of settings and weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbones::spaced;
use crate::lines::{Lines, Tag};

/// A size of Segment Anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum SamModel {
    /// ViT-B, 94 million parameters.
    #[serde(rename = "vit-b")]
    VitB,
    /// ViT-L, 312 million parameters.
    #[serde(rename = "vit-l")]
    VitL,
    /// ViT-H, 641 million parameters; the official default.
    #[default]
    #[serde(rename = "vit-h")]
    VitH,
    /// Any other size, such as a small one for tests.
    #[serde(rename = "custom")]
    Custom(SamShape),
}

/// The checkpoint that Meta publishes of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedSam {
    /// Its file name.
    pub file: &'static str,
    /// Its size in words.
    pub size: &'static str,
    /// Where Meta's repository says it can be had.
    pub url: &'static str,
}

impl SamModel {
    /// The name in YAML and in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::VitB => "vit-b",
            Self::VitL => "vit-l",
            Self::VitH => "vit-h",
            Self::Custom(_) => "custom",
        }
    }

    /// What Meta publishes of it (README of facebookresearch/segment-anything; sizes from the number of parameters).
    pub const fn published(&self) -> Option<PublishedSam> {
        let (file, size, url) = match self {
            Self::VitB => (
                "sam_vit_b_01ec64.pth",
                "375 MB",
                "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
            ),
            Self::VitL => (
                "sam_vit_l_0b3195.pth",
                "1.25 GB",
                "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth",
            ),
            Self::VitH => (
                "sam_vit_h_4b8939.pth",
                "2.56 GB",
                "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth",
            ),
            Self::Custom(_) => return None,
        };
        Some(PublishedSam { file, size, url })
    }
}

/// The sizes of a model that was not published; the defaults are those of ViT-B. Lengths are channels unless something
/// else is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamShape {
    /// Side of the square that images are scaled into, pixels; a multiple of `patch_size`.
    pub img_size: u32,
    /// Side of a patch, pixels.
    pub patch_size: u32,
    /// Width of the image encoder.
    pub embed_dim: u32,
    /// Blocks of the image encoder.
    pub depth: u32,
    /// Attention heads of the image encoder; a divisor of `embed_dim`.
    pub num_heads: u32,
    /// Hidden width of the image encoder's MLPs, in widths.
    pub mlp_ratio: u32,
    /// Side of an attention window, patches.
    pub window_size: u32,
    /// Blocks (from 0) that attend to the whole image.
    pub global_attn_indexes: Vec<u32>,
    /// Width of the image embedding, of prompts and of the mask decoder.
    pub prompt_dim: u32,
    /// Hidden channels for mask prompts; a multiple of 4.
    pub mask_in_chans: u32,
    /// Layers of the mask decoder.
    pub dec_depth: u32,
    /// Hidden width of the mask decoder's MLPs.
    pub dec_mlp_dim: u32,
    /// Attention heads of the mask decoder.
    pub dec_heads: u32,
    /// Hidden width of the head that predicts the masks' IoU.
    pub iou_hidden: u32,
}

impl Default for SamShape {
    fn default() -> Self {
        Self {
            img_size: 1024,
            patch_size: 16,
            embed_dim: 768,
            depth: 12,
            num_heads: 12,
            mlp_ratio: 4,
            window_size: 14,
            global_attn_indexes: vec![2, 5, 8, 11],
            prompt_dim: 256,
            mask_in_chans: 16,
            dec_depth: 2,
            dec_mlp_dim: 2048,
            dec_heads: 8,
            iou_hidden: 256,
        }
    }
}

impl SamModel {
    /// Its lines.
    pub(super) fn put(&self, lines: &mut Lines) {
        lines.put(Tag::StartUp, "config.segmenter.model", self.name());
        if let Self::Custom(shape) = self {
            shape.put(lines);
        }
    }
}

impl SamShape {
    fn put(&self, lines: &mut Lines) {
        let Self {
            img_size,
            patch_size,
            embed_dim,
            depth,
            num_heads,
            mlp_ratio,
            window_size,
            global_attn_indexes,
            prompt_dim,
            mask_in_chans,
            dec_depth,
            dec_mlp_dim,
            dec_heads,
            iou_hidden,
        } = self;
        let numbers = [
            ("img_size", img_size),
            ("patch_size", patch_size),
            ("embed_dim", embed_dim),
            ("depth", depth),
            ("num_heads", num_heads),
            ("mlp_ratio", mlp_ratio),
            ("window_size", window_size),
            ("prompt_dim", prompt_dim),
            ("mask_in_chans", mask_in_chans),
            ("dec_depth", dec_depth),
            ("dec_mlp_dim", dec_mlp_dim),
            ("dec_heads", dec_heads),
            ("iou_hidden", iou_hidden),
        ];
        for (name, value) in numbers {
            lines.put(
                Tag::StartUp,
                &format!("config.segmenter.model.{name}"),
                value,
            );
        }
        let global = spaced(global_attn_indexes);
        lines.put(
            Tag::StartUp,
            "config.segmenter.model.global_attn_indexes",
            global,
        );
    }
}
