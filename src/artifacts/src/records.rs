//! `masks/<image>.json` of a `mask` stage: what SAM says of each mask, beside the file of their run lengths.
//! Unaware of how the masks came about.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Result, json};

/// `masks/<image>.json`: the masks in the order of the channels, with the names of the official records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskRecords {
    /// The masks that were kept.
    pub masks: Vec<MaskRecord>,
}

/// One mask. Boxes are left, top, width and height in pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskRecord {
    /// Pixels.
    pub area: u64,
    /// The smallest box around it.
    pub bbox: [i64; 4],
    /// The IoU with the true mask that SAM expects, 0 to 1.
    pub predicted_iou: f32,
    /// How little it changes with the cut through the logits, 0 to 1.
    pub stability_score: f32,
    /// The point that it was asked for by: x and y in pixels.
    pub point_coords: [f64; 2],
    /// The crop of the image that it was found in.
    pub crop_box: [i64; 4],
}

impl MaskRecords {
    /// Where they lie beside the masks in `masks`.
    pub fn beside(masks: &Path) -> PathBuf {
        masks.with_extension("json")
    }

    /// Reads those beside the masks in `masks`; none where the segmenter says nothing of its masks.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn read(masks: &Path) -> Result<Option<Self>> {
        let path = Self::beside(masks);
        if std::fs::symlink_metadata(&path).is_err() {
            return Ok(None);
        }
        json::read(&path).map(Some)
    }

    /// Writes them beside the masks in `masks`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, masks: &Path) -> Result<()> {
        json::write(&Self::beside(masks), self)
    }
}
