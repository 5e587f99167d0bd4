//! `segmenter: {sam: …}`: the model, its weights, and the settings of the automatic mask generator.
//! Unaware of how masks are computed. Defaults are the official ones (`automatic_mask_generator.py`).

use std::fmt::Display;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sam_model::{PublishedSam, SamModel};
use super::segmenter_kind::SegmenterKind;
use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::{Download, Listing, Reads};
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
    /// Number format of the image encoder, and for `bf16` and `tf32` of the mask decoder; `fp32` is the reference.
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

impl SegmenterKind for Sam {
    const NAME: &'static str = "sam";

    /// Tells the models apart.
    fn label(&self) -> String {
        format!("sam {}", self.model.name())
    }

    /// All stages with one model need it, and an embedding of each image, once.
    fn start_up(&self) -> Tag {
        Tag::StartUp
    }

    fn uses_torch(&self) -> bool {
        true
    }

    fn has_grid(&self) -> bool {
        self.point_grids.is_none()
    }

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.tagged(Tag::StartUp, |reads| {
            reads.file("segmenter.sam.weights", &mut self.weights, Listing::File);
        });
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        for (field, expected) in self.wrong() {
            let message = format!("expected {expected}");
            let path = format!("segmenter.sam.{field}");
            problems.push(checker.problem(&path, message));
        }
    }

    /// The number of points worked on at once only moves last bits, but a last bit can move a mask's edge.
    fn lines(&self, lines: &mut Lines) {
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
        // Masks of `bf16` from when the decoder computed in float32 are others.
        let decoder = (*precision == SamPrecision::Bf16).then_some(precision);
        lines.option(Tag::StartUp, "config.segmenter.decoder", decoder);
        model.put(lines);
    }

    fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        let low = self.precision != SamPrecision::Fp32;
        low.then_some(("segmenter.sam.precision", self.precision.as_str()))
    }

    fn after_stop(&self) -> &'static str {
        "images whose masks were finished are not done again"
    }

    fn download(&self) -> Option<Download<'_>> {
        let PublishedSam { file, size, url } = self.model.published()?;
        let model = self.model.name();
        Some(Download {
            path: &self.weights,
            what: format!("Meta's checkpoint of SAM {model} ({file}, {size})"),
            url,
        })
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
