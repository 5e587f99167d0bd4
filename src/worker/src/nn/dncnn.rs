//! Colour `DnCNN`: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising" (TIP
//! 2017), with batch norms merged, as cszn/KAIR `models/network_dncnn.py` (`act_mode` R). Unaware of masks and training.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Path;

use super::layers::Conv;
use super::network::{self, AfterBlock, Network};
use super::precision;

/// The shape of a `DnCNN`. Field names are those of the official constructor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the image.
    pub in_nc: i64,
    /// Channels of the noise.
    pub out_nc: i64,
    /// Feature channels C.
    pub nc: i64,
    /// Convolutions in all; two more than a multiple of `groups`.
    pub nb: i64,
    /// Equal groups of convolutions between the first and the last: the blocks (METHOD §2; not in the official code).
    #[serde(default = "six")]
    pub groups: i64,
}

const fn six() -> i64 {
    6
}

impl Config {
    /// The published colour network, one of 668,227 parameters for each of σ 15, 25 and 50 (`dncnn_color`).
    pub const COLOR: Self = Self {
        in_nc: 3,
        out_nc: 3,
        nc: 64,
        nb: 20,
        groups: six(),
    };

    /// What a pipeline says.
    pub fn of(size: &spec::backbones::Dncnn) -> Self {
        Self {
            nc: i64::from(size.width),
            nb: i64::from(size.depth),
            ..Self::COLOR
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Dncnn {
    /// The configuration it was built with.
    pub config: Config,
    first: Conv,
    /// The groups, in order; a `ReLU` follows each convolution.
    groups: Vec<Vec<Conv>>,
    last: Conv,
}

impl Dncnn {
    /// A `DnCNN` at path `p`, all weights zero; the parameter paths are the official checkpoint's keys, `model.0`,
    /// `model.2`, …: a `ReLU` without parameters stands at each odd number.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let conv = |n: i64, c_in, c_out| Conv::new(&(p / "model" / (2 * n)), c_in, c_out, 3);
        let each = (cfg.nb - 2) / cfg.groups;
        let group = |at: i64| (1 + at * each..=(at + 1) * each).map(|n| conv(n, cfg.nc, cfg.nc));
        Self {
            config: *cfg,
            first: conv(0, cfg.in_nc, cfg.nc),
            groups: (0..cfg.groups).map(|at| group(at).collect()).collect(),
            last: conv(cfg.nb - 1, cfg.nc, cfg.out_nc),
        }
    }
}

impl Network for Dncnn {
    fn scale(&self) -> i64 {
        1
    }

    fn channels(&self) -> i64 {
        self.config.nc
    }

    fn blocks(&self) -> usize {
        self.groups.len()
    }

    fn reach(&self) -> Option<i64> {
        Some(self.config.nb)
    }

    fn memory(&self, height: i64, width: i64) -> u64 {
        network::floats(height * width * self.config.nc * 6)
    }

    /// The last convolution gives the noise, which is subtracted. `after_block` is given a group's output behind its
    /// last `ReLU`.
    fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor {
        let mut h = self.first.forward(x).relu_(); // (B, C, H, W)
        for (i, group) in self.groups.iter().enumerate() {
            for conv in group {
                h = conv.forward(&h).relu_(); // (B, C, H, W)
            }
            h = after_block(i, h);
        }
        x - precision::full(|| self.last.forward(&h)) // (B, out_nc, H, W)
    }
}
