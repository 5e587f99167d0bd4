//! The backbones behind one face: what stands between them and SPT units, training and evaluation.
//! Unaware of masks, weights on disk and images.

use serde::{Deserialize, Serialize};
use spec::kinds::Tiling;
use tch::Tensor;
use tch::nn::Path;

use super::art::{self, Art};
use super::cat::{self, Cat};
use super::imdn::{self, Imdn};
use super::tiling::{self, Border, OFFICIAL_SIDE, Overlap, Rule};

/// Which backbone, and its shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// See [`imdn::Config`].
    Imdn(imdn::Config),
    /// See [`art::Config`].
    Art(art::Config),
    /// See [`cat::Config`].
    Cat(cat::Config),
}

/// A restoration network whose blocks can be reached from outside.
#[derive(Debug)]
pub enum Backbone {
    /// IMDN, six blocks of 64 channels as published.
    Imdn(Imdn),
    /// ART, six residual groups of 180 channels as published.
    Art(Art),
    /// CAT with axial blocks, six residual groups of 180 channels as published.
    Cat(Cat),
}

impl Backbone {
    /// The backbone that `cfg` describes at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        match cfg {
            Config::Imdn(cfg) => Self::Imdn(Imdn::new(p, cfg)),
            Config::Art(cfg) => Self::Art(Art::new(p, cfg)),
            Config::Cat(cfg) => Self::Cat(Cat::new(p, cfg)),
        }
    }

    /// Enlargement of each side: 1 for denoising.
    pub fn scale(&self) -> i64 {
        match self {
            Self::Imdn(net) => net.config.upscale,
            Self::Art(net) => net.config.upscale,
            Self::Cat(net) => net.config.upscale,
        }
    }

    /// Channels C of a block's output, which SPT units see.
    pub fn channels(&self) -> i64 {
        match self {
            Self::Imdn(net) => net.config.nf,
            Self::Art(net) => net.config.embed_dim,
            Self::Cat(net) => net.config.embed_dim,
        }
    }

    /// H and W of an image must be multiples of this.
    pub fn multiple(&self) -> i64 {
        match self {
            Self::Imdn(_) | Self::Art(_) => 1,
            Self::Cat(net) => net.config.multiple(),
        }
    }

    /// Whether its features have their channels innermost in memory, which suits tokens.
    pub fn channels_last(&self) -> bool {
        match self {
            Self::Imdn(_) => false,
            Self::Art(_) | Self::Cat(_) => true,
        }
    }

    /// How its images are cut for `tiling`: by the rule of its official test code (IMDN has none; ART's serves).
    pub fn tiling(&self, tiling: Tiling) -> Rule {
        let (official, border, overlap) = match self {
            Self::Imdn(_) => (None, Border::Reflect, Overlap::Fraction(10)),
            Self::Art(_) => (Some(OFFICIAL_SIDE), Border::Reflect, Overlap::Fraction(10)),
            Self::Cat(_) => (None, Border::Symmetric, Overlap::Pixels(16)),
        };
        Rule {
            side: match tiling {
                Tiling::None => None,
                Tiling::Official => official,
                Tiling::Side(side) => Some(i64::from(side)),
            },
            multiple: self.multiple(),
            border,
            overlap,
        }
    }

    /// Number of blocks: the places for SPT units (the paper's `B_1`…`B_n`).
    pub fn blocks(&self) -> usize {
        match self {
            Self::Imdn(net) => net.blocks.len(),
            Self::Art(net) => net.groups.len(),
            Self::Cat(net) => net.groups.len(),
        }
    }

    /// The restored image of `x` (B, 3, H, W), RGB in [0, 1], as (B, 3, sH, sW), not clamped.
    ///
    /// `after_block(i, f)` is given the output of block `i` (0-based) as (B, C, H, W), and what it returns replaces it
    /// everywhere downstream. H and W must be multiples of [`Self::multiple`].
    pub fn forward(
        &self,
        x: &Tensor,
        after_block: &mut dyn FnMut(usize, Tensor) -> Tensor,
    ) -> Tensor {
        match self {
            Self::Imdn(net) => net.forward(x, after_block),
            Self::Art(net) => net.forward(x, after_block),
            Self::Cat(net) => net.forward(x, after_block),
        }
    }

    /// The restored image without SPT units: the baseline. Any H and W.
    pub fn baseline(&self, x: &Tensor) -> Tensor {
        self.any_size(x, |x| self.forward(x, &mut |_, features| features))
    }

    /// `restore` of `x` (B, C, H, W), with its sides made multiples of [`Self::multiple`] and the result cropped.
    pub fn any_size(&self, x: &Tensor, restore: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let (h, w, s) = (x.size()[2], x.size()[3], self.scale());
        let y = restore(&tiling::fit(x, self.multiple()));
        if y.size()[2..] == [h * s, w * s] {
            return y;
        }
        y.narrow(2, 0, h * s).narrow(3, 0, w * s)
    }
}
