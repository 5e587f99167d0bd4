//! `model.json` of a `pretrained`, `train` or `tune` stage: what a network is, and how it was trained last.
//! Unaware of weights.

use std::path::Path;

use serde::{Deserialize, Serialize};
use spec::backbones::Architecture;
use spec::names::{Share, Variant};

use crate::{Result, json};

/// The file's name.
pub const FILE: &str = "model.json";

/// `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The backbone.
    pub architecture: Architecture,
    /// Its SPT units, if it has any.
    pub spt: Option<SptCard>,
    /// What was trained last: `pretrained`, `train`, `spt` or `full`.
    pub scheme: String,
    /// Iterations up to these weights; none for weights of others.
    pub iterations: Option<u64>,
    /// Iterations that were run.
    pub iterations_run: Option<u64>,
    /// Trainable parameters of the last training.
    pub trainable: Option<u64>,
    /// All parameters.
    pub parameters: u64,
    /// PSNR of the validation at these weights, in dB.
    pub validation_psnr: Option<f64>,
}

/// The SPT units of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SptCard {
    /// `N_c`.
    pub masks: u32,
    /// Units after blocks 1 to this.
    pub units: u32,
    /// α of equation 8.
    pub alpha: f64,
    /// The unit.
    pub variant: Variant,
    /// Whether units share weights.
    pub share: Share,
}

impl ModelCard {
    /// Reads that of the stage with this folder.
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
