//! What is done to images before a network sees them.
//! Unaware of how it is computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The degradation (METHOD: degradations).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Degrade {
    /// MATLAB's bicubic at this scale: 2, 3 or 4.
    Sr(u32),
    /// Gaussian noise of this standard deviation on 0–255.
    Denoise(f64),
}

impl Degrade {
    /// How tables name it.
    pub(super) fn label(self) -> String {
        match self {
            Self::Sr(scale) => format!("×{scale}"),
            Self::Denoise(sigma) => format!("σ={sigma}"),
        }
    }

    /// HR pixels per LQ pixel along a side.
    pub const fn scale(self) -> u32 {
        match self {
            Self::Sr(scale) => scale,
            Self::Denoise(_) => 1,
        }
    }
}
