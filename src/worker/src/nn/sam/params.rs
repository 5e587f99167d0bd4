//! The settings of the automatic mask generator, with the official names and defaults.
//! Unaware of models and images.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spec::segmenters::{Sam, SamModel};

use super::error::SamError;

/// Settings of a [`super::Generator`] (official `automatic_mask_generator.py`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// Points along each side of the image: n×n prompts. Not looked at where `point_grids` is given.
    pub points_per_side: Option<usize>,
    /// Most points that are worked on at once. It bounds memory and changes no result.
    pub points_per_batch: usize,
    /// A mask is kept if its predicted IoU is above this; 0 keeps all.
    pub pred_iou_thresh: f64,
    /// A mask is kept if its stability score is at least this; 0 keeps all.
    pub stability_score_thresh: f64,
    /// How far up and down the cut through the logits is moved for the stability score.
    pub stability_score_offset: f64,
    /// Of two masks whose boxes overlap by more than this IoU, the one with the lower predicted IoU is dropped.
    pub box_nms_thresh: f64,
    /// Layers of crops that are segmented too: layer i has 4^i crops.
    pub crop_n_layers: usize,
    /// The same as `box_nms_thresh` between crops, where the smaller crop wins.
    pub crop_nms_thresh: f64,
    /// How far crops of the first layer overlap, as a part of the image's shorter side; halved with each layer.
    pub crop_overlap_ratio: f64,
    /// The points a side in layer i are divided by this to the power i.
    pub crop_n_points_downscale_factor: usize,
    /// Points as x, y in [0, 1], one list a layer, in place of regular grids.
    pub point_grids: Option<Vec<Vec<[f64; 2]>>>,
    /// Holes and islands of fewer pixels are removed; 0 leaves masks as they are.
    pub min_mask_region_area: u64,
}

impl Default for Params {
    /// The official defaults, which stand in `spec`.
    fn default() -> Self {
        Self::of(&Sam::new(SamModel::VitB, PathBuf::new()), 32)
    }
}

impl Params {
    /// The settings of a stage with `n`×`n` points.
    pub fn of(sam: &Sam, n: usize) -> Self {
        Self {
            points_per_side: Some(n),
            points_per_batch: sam.points_per_batch as usize,
            pred_iou_thresh: sam.pred_iou_thresh,
            stability_score_thresh: sam.stability_score_thresh,
            stability_score_offset: sam.stability_score_offset,
            box_nms_thresh: sam.box_nms_thresh,
            crop_n_layers: sam.crop_n_layers as usize,
            crop_nms_thresh: sam.crop_nms_thresh,
            crop_overlap_ratio: sam.crop_overlap_ratio,
            crop_n_points_downscale_factor: sam.crop_n_points_downscale_factor as usize,
            point_grids: sam.point_grids.clone(),
            min_mask_region_area: sam.min_mask_region_area,
        }
    }

    /// The official defaults with `n`×`n` points.
    pub fn grid(n: usize) -> Self {
        Self {
            points_per_side: Some(n),
            ..Self::default()
        }
    }

    /// Whether the settings fit together. Errors: [`SamError::Params`].
    pub fn check(&self) -> Result<(), SamError> {
        let numbers = [
            self.pred_iou_thresh,
            self.stability_score_thresh,
            self.stability_score_offset,
            self.box_nms_thresh,
            self.crop_nms_thresh,
            self.crop_overlap_ratio,
        ];
        let grids = self.point_grids.as_ref().map(Vec::len);
        let broken = [
            (
                grids.is_none() && self.points_per_side.unwrap_or(0) == 0,
                "there are no points; give `points_per_side` or `point_grids`",
            ),
            (
                grids.is_some_and(|n| n <= self.crop_n_layers),
                "`point_grids` needs one list more than `crop_n_layers`",
            ),
            (
                self.points_per_batch == 0,
                "`points_per_batch` is 0; 64 is usual",
            ),
            (
                self.crop_n_points_downscale_factor == 0,
                "`crop_n_points_downscale_factor` is 0; 1 is usual",
            ),
            (
                self.crop_n_layers > MOST_LAYERS,
                "more than 8 layers of crops would be more than 87,000 images",
            ),
            (
                numbers.iter().any(|n| !n.is_finite()),
                "a threshold is not a number",
            ),
            (
                !(0.0..=1.0).contains(&self.crop_overlap_ratio),
                "`crop_overlap_ratio` is not between 0 and 1",
            ),
        ];
        match broken.iter().find(|(is_broken, _)| *is_broken) {
            Some((_, reason)) => Err(SamError::Params {
                reason: (*reason).to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// The points of layer `layer` in a `width`×`height` crop, as x, y in pixels.
    pub fn points(&self, layer: usize, width: usize, height: usize) -> Vec<[f64; 2]> {
        if let Some(grids) = &self.point_grids {
            let scale = |at: &[f64; 2]| [at[0] * width as f64, at[1] * height as f64];
            return grids.get(layer).into_iter().flatten().map(scale).collect();
        }
        let divisor = (self.crop_n_points_downscale_factor as f64).powi(layer as i32);
        let n = (self.points_per_side.unwrap_or(0) as f64 / divisor) as usize;
        pixels::point_grid(n, width, height)
    }
}

/// Most layers of crops.
const MOST_LAYERS: usize = 8;
