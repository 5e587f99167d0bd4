//! `summary.json` of an `evaluate` stage: how it measured, and what.
//! Unaware of the values, which are in `metrics.csv`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use spec::kinds::Tiling;
use spec::names::Luma;

use crate::{ModelCard, Result, json};

/// The file's name.
pub const FILE: &str = "summary.json";

/// `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are.
    pub images: usize,
    /// The channel.
    pub luma: Luma,
    /// Pixels cut from each side.
    pub shave: u32,
    /// How images were cut into tiles.
    pub tiling: Tiling,
    /// Distinct masks an image, before padding; none without masks.
    pub masks_found: Option<f64>,
    /// The model that was evaluated.
    pub model: ModelCard,
}

impl Summary {
    /// Reads that of the `evaluate` stage with this folder.
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
