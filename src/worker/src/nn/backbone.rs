//! The backbones behind one face: what stands between them and SPT units, training and evaluation.
//! Unaware of masks, weights on disk and images.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Path;

use super::imdn::{self, Imdn};

/// Which backbone, and its shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// See [`imdn::Config`].
    Imdn(imdn::Config),
}

/// A restoration network whose blocks can be reached from outside.
#[derive(Debug)]
pub enum Backbone {
    /// IMDN, six blocks of 64 channels as published.
    Imdn(Imdn),
}

impl Backbone {
    /// The backbone that `cfg` describes at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        match cfg {
            Config::Imdn(cfg) => Self::Imdn(Imdn::new(p, cfg)),
        }
    }

    /// Enlargement of each side: 1 for denoising.
    pub fn scale(&self) -> i64 {
        match self {
            Self::Imdn(net) => net.config.upscale,
        }
    }

    /// Channels C of a block's output, which SPT units see.
    pub fn channels(&self) -> i64 {
        match self {
            Self::Imdn(net) => net.config.nf,
        }
    }

    /// Number of blocks: the places for SPT units (the paper's `B_1`…`B_n`).
    pub fn blocks(&self) -> usize {
        match self {
            Self::Imdn(net) => net.blocks.len(),
        }
    }

    /// The restored image of `x` (B, 3, H, W), RGB in [0, 1], as (B, 3, sH, sW), not clamped.
    ///
    /// `after_block(i, f)` is given the output of block `i` (0-based) as (B, C, H, W), and what it returns replaces it
    /// everywhere downstream.
    pub fn forward(
        &self,
        x: &Tensor,
        after_block: &mut dyn FnMut(usize, Tensor) -> Tensor,
    ) -> Tensor {
        match self {
            Self::Imdn(net) => net.forward(x, after_block),
        }
    }

    /// The restored image without SPT units: the baseline.
    pub fn baseline(&self, x: &Tensor) -> Tensor {
        self.forward(x, &mut |_, features| features)
    }
}
