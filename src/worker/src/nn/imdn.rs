//! IMDN, the lightweight backbone: Hui et al., "Lightweight Image Super-Resolution with Information Multi-distillation
//! Network" (ACM MM 2019), as Zheng222/IMDN `model/architecture.py`. Unaware of masks, SPT units and training.

use serde::{Deserialize, Serialize};
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::layers::{Conv, leaky_relu};
use super::network::{self, AfterBlock, Network};
use super::precision;

/// The shape of an IMDN. Field names and defaults are those of the official constructor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the input image.
    pub in_nc: i64,
    /// Feature channels C; a multiple of 4, at least 16.
    pub nf: i64,
    /// Number of blocks `IMDB1`… (the official class has 6, whatever is asked for).
    pub num_modules: i64,
    /// Channels of the output image.
    pub out_nc: i64,
    /// Enlargement of each side.
    pub upscale: i64,
}

impl Config {
    /// The published network enlarging by 2: 694,404 parameters, `checkpoints/IMDN_x2.pth`.
    pub const X2: Self = Self::published(2);
    /// The published network enlarging by 3: 703,059 parameters, `checkpoints/IMDN_x3.pth`.
    pub const X3: Self = Self::published(3);
    /// The published network enlarging by 4: 715,176 parameters, `checkpoints/IMDN_x4.pth`.
    pub const X4: Self = Self::published(4);

    /// What a pipeline says.
    pub fn of(size: &spec::backbones::Imdn) -> Self {
        Self {
            nf: i64::from(size.width),
            num_modules: i64::from(size.blocks),
            ..Self::published(i64::from(size.scale))
        }
    }

    /// The published configuration for a scale.
    pub const fn published(upscale: i64) -> Self {
        Self {
            in_nc: 3,
            nf: 64,
            num_modules: 6,
            out_nc: 3,
            upscale,
        }
    }
}

/// Slope of every `LeakyReLU` (official `model/block.py`, `activation`).
pub const SLOPE: f64 = 0.05;

/// The network.
#[derive(Debug)]
pub struct Imdn {
    /// The configuration it was built with.
    pub config: Config,
    /// The slope of its activations, [`SLOPE`]; tests change it to show that parity notices.
    pub slope: f64,
    /// First convolution, image to features.
    pub fea_conv: Conv,
    /// `IMDB1`…, in order.
    pub blocks: Vec<Block>,
    c: Conv,
    lr_conv: Conv,
    upsampler: Conv,
}

impl Imdn {
    /// An IMDN at path `p`, all weights zero; the parameter paths are the official checkpoint's keys.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let nf = cfg.nf;
        let outputs = cfg.out_nc * cfg.upscale * cfg.upscale;
        Self {
            config: *cfg,
            slope: SLOPE,
            fea_conv: Conv::new(&(p / "fea_conv"), cfg.in_nc, nf, 3),
            blocks: (1..=cfg.num_modules)
                .map(|i| Block::new(&(p / format!("IMDB{i}")), nf))
                .collect(),
            c: Conv::new(&(p / "c" / 0), nf * cfg.num_modules, nf, 1),
            lr_conv: Conv::new(&(p / "LR_conv"), nf, nf, 3),
            upsampler: Conv::new(&(p / "upsampler" / 0), nf, outputs, 3),
        }
    }

    /// The outputs of all blocks, each (B, C, H, W), as `after_block` returned them.
    fn walk(&self, first: &Tensor, after_block: &mut AfterBlock<'_>) -> Vec<Tensor> {
        let mut outs: Vec<Tensor> = Vec::with_capacity(self.blocks.len());
        for (i, block) in self.blocks.iter().enumerate() {
            let out = block.forward(outs.last().unwrap_or(first), self.slope);
            outs.push(after_block(i, out));
        }
        outs
    }

    /// `LR_conv(c(cat(outs)))`, (B, C, H, W), before the long skip.
    pub fn lr_features(&self, outs: &[Tensor]) -> Tensor {
        let fused = self.c.forward(&Tensor::cat(outs, 1)); // (B, C, H, W)
        self.lr_conv.forward(&leaky_relu(&fused, self.slope)) // (B, C, H, W)
    }

    fn fuse(&self, outs: &[Tensor], first: &Tensor) -> Tensor {
        self.lr_features(outs) + first
    }

    fn reconstruct(&self, features: &Tensor) -> Tensor {
        precision::full(|| self.upsampler.forward(features)).pixel_shuffle(self.config.upscale)
    }
}

impl Network for Imdn {
    fn scale(&self) -> i64 {
        self.config.upscale
    }

    fn channels(&self) -> i64 {
        self.config.nf
    }

    fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Its channel attention averages over the whole image.
    fn reach(&self) -> Option<i64> {
        None
    }

    fn memory(&self, height: i64, width: i64) -> u64 {
        let maps = 2 * self.config.num_modules + 3;
        network::floats(height * width * self.config.nf * maps)
    }

    /// What `after_block` returns takes the block's place in the next block and in the concatenation of all blocks.
    fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor {
        let first = self.fea_conv.forward(x); // (B, C, H, W)
        let outs = self.walk(&first, after_block);
        self.reconstruct(&self.fuse(&outs, &first)) // (B, out_nc, sH, sW)
    }
}

/// An information multi-distillation block (`IMDModule`): three times, a quarter of the channels is kept and the rest
/// refined; the kept parts pass contrast-aware channel attention.
#[derive(Debug)]
pub struct Block {
    /// The first of the four 3×3 convolutions.
    pub c1: Conv,
    c2: Conv,
    c3: Conv,
    c4: Conv,
    /// Attention over the collected channels.
    pub cca: Cca,
    c5: Conv,
    kept: i64,
}

impl Block {
    fn new(p: &Path, nf: i64) -> Self {
        let kept = nf / 4;
        let rest = nf - kept;
        Self {
            c1: Conv::new(&(p / "c1"), nf, nf, 3),
            c2: Conv::new(&(p / "c2"), rest, nf, 3),
            c3: Conv::new(&(p / "c3"), rest, nf, 3),
            c4: Conv::new(&(p / "c4"), rest, kept, 3),
            cca: Cca::new(&(p / "cca"), kept * 4),
            c5: Conv::new(&(p / "c5"), nf, nf, 1),
            kept,
        }
    }

    /// The block's output for `x` (B, C, H, W).
    fn forward(&self, x: &Tensor, slope: f64) -> Tensor {
        self.c5.forward(&self.cca.forward(&self.distil(x, slope))) + x // (B, C, H, W)
    }

    /// The four kept parts of `x` (B, C, H, W), concatenated; the last is not activated.
    pub fn distil(&self, x: &Tensor, slope: f64) -> Tensor {
        let (d1, rest) = self.split(&leaky_relu(&self.c1.forward(x), slope)); // (B, C/4, H, W), (B, 3C/4, H, W)
        let (d2, rest) = self.split(&leaky_relu(&self.c2.forward(&rest), slope));
        let (d3, rest) = self.split(&leaky_relu(&self.c3.forward(&rest), slope));
        Tensor::cat(&[d1, d2, d3, self.c4.forward(&rest)], 1) // (B, C, H, W)
    }

    /// The kept and the remaining channels of `x`. One operation, so that its gradient is one concatenation.
    fn split(&self, x: &Tensor) -> (Tensor, Tensor) {
        let sizes = [self.kept, x.size()[1] - self.kept];
        let mut parts = x.split_with_sizes(sizes, 1).into_iter();
        (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
    }
}

/// Contrast-aware channel attention (`CCALayer`): a weight for each channel from its standard deviation plus mean.
#[derive(Debug)]
pub struct Cca {
    squeeze: Conv,
    excite: Conv,
}

impl Cca {
    fn new(p: &Path, channels: i64) -> Self {
        let p = p / "conv_du";
        Self {
            squeeze: Conv::new(&(&p / 0), channels, channels / 16, 1),
            excite: Conv::new(&(&p / 2), channels / 16, channels, 1),
        }
    }

    /// `x` (B, C, H, W) with each channel weighted.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let hidden = self.squeeze.forward(&contrast(x)).relu(); // (B, C/16, 1, 1)
        x * self.excite.forward(&hidden).sigmoid() // (B, C, H, W)
    }
}

/// Population standard deviation plus mean of each channel of `x` (B, C, H, W), as (B, C, 1, 1).
///
/// Summed in the order of the official code (columns, then rows), because the last bit decides how single pixels are
/// rounded, and with them the fourth decimal of the published PSNR. The official code has no epsilon: where a channel
/// is constant its gradient is 0 · ∞ = NaN, which one optimiser step would spread over all weights. A variance below
/// [`NO_VARIANCE`] is such a channel; it is held there, which changes no image and makes the gradient 0.
fn contrast(x: &Tensor) -> Tensor {
    let x = &precision::to(x, Kind::Float);
    let deviation = (x - channel_mean(x)).square(); // (B, C, H, W)
    let variance = channel_mean(&deviation).clamp_min(NO_VARIANCE);
    variance.sqrt() + x.mean_dim([2_i64, 3].as_slice(), true, None)
}

/// Far below the variance of any channel that is not constant (one level of 256 in one pixel of a megapixel: 1.5e-11).
const NO_VARIANCE: f64 = 1e-30;

/// (B, C, 1, 1).
fn channel_mean(x: &Tensor) -> Tensor {
    let size = x.size();
    let rows = x.sum_dim_intlist([3_i64].as_slice(), true, None); // (B, C, H, 1)
    rows.sum_dim_intlist([2_i64].as_slice(), true, None) / (size[2] * size[3])
}
