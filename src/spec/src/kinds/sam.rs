//! `segmenter: {sam: …}`: the model, its weights, and the settings of the automatic mask generator.
//! Unaware of how masks are computed. Defaults are the official ones (`automatic_mask_generator.py`).

use std::fmt::Display;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbones::spaced;
use crate::lines::{Lines, Tag};
use crate::names::{MaskOrder, SamPrecision};

/// Segment Anything, prompted with a grid of points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sam {
    /// Which model the weights belong to.
    #[serde(default)]
    pub model: SamModel,
    /// The weights: Meta's `.pth`, or safetensors with Meta's or Hugging Face's names.
    pub weights: PathBuf,
    /// The entry of the file behind which the model stands, where several copies of it are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Number format of the image encoder; half precision only on CUDA.
    #[serde(default = "fp32")]
    pub precision: SamPrecision,
    /// Which masks stay where there are more than `N_c`: the first in this order.
    #[serde(default = "official_order")]
    pub order: MaskOrder,
    /// Most points that are worked on at once. It bounds memory.
    #[serde(default = "points_per_batch")]
    pub points_per_batch: u32,
    /// A mask is kept if its predicted IoU is above this; 0 keeps all.
    #[serde(default = "pred_iou_thresh")]
    pub pred_iou_thresh: f64,
    /// A mask is kept if its stability score is at least this; 0 keeps all.
    #[serde(default = "stability_score_thresh")]
    pub stability_score_thresh: f64,
    /// How far up and down the cut through the logits is moved for the stability score.
    #[serde(default = "stability_score_offset")]
    pub stability_score_offset: f64,
    /// Of two masks whose boxes overlap by more than this IoU, the one with the lower predicted IoU is dropped.
    #[serde(default = "box_nms_thresh")]
    pub box_nms_thresh: f64,
    /// Layers of crops that are segmented too: layer i has 4^i crops.
    #[serde(default)]
    pub crop_n_layers: u32,
    /// The same as `box_nms_thresh` between crops, where the smaller crop wins.
    #[serde(default = "crop_nms_thresh")]
    pub crop_nms_thresh: f64,
    /// How far crops of the first layer overlap, as a part of the image's shorter side; halved with each layer.
    #[serde(default = "crop_overlap_ratio")]
    pub crop_overlap_ratio: f64,
    /// The points a side in layer i are divided by this to the power i.
    #[serde(default = "crop_n_points_downscale_factor")]
    pub crop_n_points_downscale_factor: u32,
    /// Points as x, y in [0, 1], one list a layer of crops, in place of the regular grid.
    #[serde(default)]
    pub point_grids: Option<Vec<Vec<[f64; 2]>>>,
    /// Holes and islands of fewer pixels are removed; 0 leaves masks as they are.
    #[serde(default)]
    pub min_mask_region_area: u64,
}

impl Sam {
    /// The official settings for these weights.
    pub const fn new(model: SamModel, weights: PathBuf) -> Self {
        Self {
            model,
            weights,
            entry: None,
            precision: fp32(),
            order: official_order(),
            points_per_batch: points_per_batch(),
            pred_iou_thresh: pred_iou_thresh(),
            stability_score_thresh: stability_score_thresh(),
            stability_score_offset: stability_score_offset(),
            box_nms_thresh: box_nms_thresh(),
            crop_n_layers: 0,
            crop_nms_thresh: crop_nms_thresh(),
            crop_overlap_ratio: crop_overlap_ratio(),
            crop_n_points_downscale_factor: crop_n_points_downscale_factor(),
            point_grids: None,
            min_mask_region_area: 0,
        }
    }

    /// What is out of range: the field and what is expected there.
    pub fn wrong(&self) -> Vec<(&'static str, &'static str)> {
        let grids = self.point_grids.as_ref();
        let inside = |at: &[f64; 2]| at.iter().all(|v| (0.0..=1.0).contains(v));
        let not_negative = |v: f64| v >= 0.0 && v.is_finite();
        let part = |v: f64| (0.0..=1.0).contains(&v);
        let rules = [
            ("points_per_batch", self.points_per_batch >= 1, "at least 1"),
            (
                "pred_iou_thresh",
                not_negative(self.pred_iou_thresh),
                "0 or more",
            ),
            (
                "stability_score_thresh",
                part(self.stability_score_thresh),
                "in 0..=1",
            ),
            (
                "stability_score_offset",
                not_negative(self.stability_score_offset),
                "0 or more",
            ),
            (
                "box_nms_thresh",
                not_negative(self.box_nms_thresh),
                "0 or more",
            ),
            (
                "crop_nms_thresh",
                not_negative(self.crop_nms_thresh),
                "0 or more",
            ),
            (
                "crop_n_layers",
                self.crop_n_layers <= 8,
                "at most 8 (more than 87,000 crops)",
            ),
            (
                "crop_overlap_ratio",
                part(self.crop_overlap_ratio),
                "in 0..=1",
            ),
            (
                "crop_n_points_downscale_factor",
                self.crop_n_points_downscale_factor >= 1,
                "at least 1",
            ),
            (
                "point_grids",
                grids.is_none_or(|g| g.len() > self.crop_n_layers as usize),
                "one list more than `crop_n_layers`",
            ),
            (
                "point_grids",
                grids.is_none_or(|g| g.iter().flatten().all(inside)),
                "points as x, y in 0..=1",
            ),
            (
                "point_grids",
                grids.is_none_or(|g| g.iter().flatten().next().is_some()),
                "at least one point",
            ),
        ];
        let broken = rules.into_iter().filter(|(_, good, _)| !good);
        broken
            .map(|(field, _, expected)| (field, expected))
            .collect()
    }
}

impl Sam {
    /// Its lines. The number of points worked on at once only moves last bits, but a last bit can move a mask's edge.
    pub(super) fn put(&self, lines: &mut Lines) {
        let Self {
            model,
            weights: _,
            entry,
            precision,
            order,
            points_per_batch,
            pred_iou_thresh,
            stability_score_thresh,
            stability_score_offset,
            box_nms_thresh,
            crop_n_layers,
            crop_nms_thresh,
            crop_overlap_ratio,
            crop_n_points_downscale_factor,
            point_grids,
            min_mask_region_area,
        } = self;
        let numbers: [(Tag, &str, &dyn Display); 12] = [
            (Tag::StartUp, "precision", precision),
            (Tag::Result, "order", order),
            (Tag::Result, "points_per_batch", points_per_batch),
            (Tag::Result, "pred_iou_thresh", pred_iou_thresh),
            (
                Tag::Result,
                "stability_score_thresh",
                stability_score_thresh,
            ),
            (
                Tag::Result,
                "stability_score_offset",
                stability_score_offset,
            ),
            (Tag::Result, "box_nms_thresh", box_nms_thresh),
            (Tag::Result, "crop_n_layers", crop_n_layers),
            (Tag::Result, "crop_nms_thresh", crop_nms_thresh),
            (Tag::Result, "crop_overlap_ratio", crop_overlap_ratio),
            (
                Tag::Result,
                "crop_n_points_downscale_factor",
                crop_n_points_downscale_factor,
            ),
            (Tag::Result, "min_mask_region_area", min_mask_region_area),
        ];
        for (tag, name, value) in numbers {
            lines.put(tag, &format!("config.segmenter.{name}"), value);
        }
        for (layer, points) in point_grids.iter().flatten().enumerate() {
            let points: Vec<String> = points.iter().map(|[x, y]| format!("{x} {y}")).collect();
            let path = format!("config.segmenter.point_grids.{layer}");
            lines.put(Tag::Result, &path, points.join(", "));
        }
        lines.option(Tag::StartUp, "config.segmenter.entry", entry.as_ref());
        model.put(lines);
    }
}

impl SamModel {
    fn put(&self, lines: &mut Lines) {
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

const fn fp32() -> SamPrecision {
    SamPrecision::Fp32
}

const fn official_order() -> MaskOrder {
    MaskOrder::Generator
}

const fn points_per_batch() -> u32 {
    64
}

const fn pred_iou_thresh() -> f64 {
    0.88
}

const fn stability_score_thresh() -> f64 {
    0.95
}

const fn stability_score_offset() -> f64 {
    1.0
}

const fn box_nms_thresh() -> f64 {
    0.7
}

const fn crop_nms_thresh() -> f64 {
    0.7
}

const fn crop_overlap_ratio() -> f64 {
    512.0 / 1500.0
}

const fn crop_n_points_downscale_factor() -> u32 {
    1
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_settings_are_those_of_an_empty_mapping() {
        let read: Sam = serde_json::from_str(r#"{"weights": "w.pth"}"#).unwrap();
        assert_eq!(read, Sam::new(SamModel::VitH, "w.pth".into()));
        assert_eq!(read.wrong(), []);
    }

    #[test]
    fn each_setting_out_of_range_is_named() {
        let official = Sam::new(SamModel::VitB, "w.pth".into());
        let wrong = |change: fn(&mut Sam)| {
            let mut sam = official.clone();
            change(&mut sam);
            sam.wrong().first().map(|(field, _)| *field)
        };
        assert_eq!(wrong(|s| s.points_per_batch = 0), Some("points_per_batch"));
        assert_eq!(
            wrong(|s| s.pred_iou_thresh = f64::NAN),
            Some("pred_iou_thresh")
        );
        assert_eq!(
            wrong(|s| s.stability_score_thresh = 1.5),
            Some("stability_score_thresh")
        );
        assert_eq!(wrong(|s| s.crop_n_layers = 9), Some("crop_n_layers"));
        assert_eq!(
            wrong(|s| s.crop_overlap_ratio = -0.1),
            Some("crop_overlap_ratio")
        );
        assert_eq!(wrong(|s| s.point_grids = Some(vec![])), Some("point_grids"));
        assert_eq!(
            wrong(|s| s.point_grids = Some(vec![vec![[0.5, 1.5]]])),
            Some("point_grids")
        );
        assert_eq!(
            wrong(|s| s.point_grids = Some(vec![vec![[0.5, 0.5]]])),
            None
        );
    }
}
