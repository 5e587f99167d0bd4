//! `evaluate`: a model on a set of images, and the metric protocol.
//! Unaware of how a metric is computed and of how images are cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::{Degrade, Tiling};
use crate::names::{Luma, Metric};

/// `evaluate`: a model on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The network.
    pub model: String,
    /// The images.
    pub images: String,
    /// Their masks; needed by a model with SPT units.
    #[serde(default)]
    pub masks: Option<String>,
    /// What is measured.
    #[serde(default = "both")]
    pub metrics: Vec<Metric>,
    /// The channel; `unrounded` for SR and `rgb` for denoising when absent.
    #[serde(default)]
    pub luma: Option<Luma>,
    /// Pixels cut from each side first; the scale for SR and 0 for denoising when absent.
    #[serde(default)]
    pub shave: Option<u32>,
    /// How images are cut before they are restored: `official`, `none`, or a side in LQ pixels.
    #[serde(default)]
    pub tiling: Tiling,
    /// Whether the restored images are kept, as `restored/<name>.png`.
    #[serde(default)]
    pub save: bool,
}

impl Evaluate {
    /// The channel PSNR and SSIM are computed on (METHOD: evaluation).
    pub fn luma(&self, degrade: Degrade) -> Luma {
        self.luma.unwrap_or(match degrade {
            Degrade::Sr(_) => Luma::Unrounded,
            Degrade::Denoise(_) => Luma::Rgb,
        })
    }

    /// Pixels cut from each side.
    pub fn shave(&self, degrade: Degrade) -> u32 {
        self.shave.unwrap_or(match degrade {
            Degrade::Sr(scale) => scale,
            Degrade::Denoise(_) => 0,
        })
    }
}

fn both() -> Vec<Metric> {
    Metric::ALL.to_vec()
}
