//! `masks.json` of a `mask` stage: which file holds the masks of an image, and how many there are.
//! Unaware of who made the masks.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Result, json};

/// The file's name.
pub const FILE: &str = "masks.json";

/// `masks.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskList {
    /// `N_c`, masks an image after padding or truncation.
    pub count: usize,
    /// The images, in the order of their pairs.
    pub images: Vec<MaskEntry>,
}

/// The masks of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskEntry {
    /// The image's name.
    pub name: String,
    /// Digest of the photograph that it comes from, as in `pairs.json`.
    pub digest: String,
    /// The file, relative to the folder.
    pub file: String,
    /// Distinct masks found.
    pub found: usize,
    /// Empty masks added.
    pub padded: usize,
    /// Masks left out.
    pub truncated: usize,
    /// How many masks each of SAM's filters left, before empty ones were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}

/// How many masks each filter of SAM's generator left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Three masks for each point.
    pub candidates: usize,
    /// Those with a good predicted IoU.
    pub after_iou: usize,
    /// Those that are stable too.
    pub after_stability: usize,
    /// Those that are returned.
    pub kept: usize,
}

impl MaskList {
    /// Distinct masks found an image.
    pub fn mean_found(&self) -> f64 {
        let sum: usize = self.images.iter().map(|i| i.found).sum();
        sum as f64 / self.images.len().max(1) as f64
    }

    /// Reads that of the `mask` stage with this folder.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn read(folder: &Path) -> Result<Self> {
        json::read(&folder.join(FILE))
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        json::write(&folder.join(FILE), self)
    }
}
