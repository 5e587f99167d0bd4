//! CAT itself: residual groups of axial blocks, shifted and not in turns.
//! Unaware of sides that are no multiple of the split sizes: `tiling::fit` pads for it.

use tch::Tensor;
use tch::nn::Path;

use super::{Config, Windows};
use crate::nn::network::{self, AfterBlock, Network, OfficialTiling};
use crate::nn::precision;
use crate::nn::tiling::{Border, Overlap};
use crate::nn::transformer::{
    Closing, Frame, LayerNorm, Linear, Mlp, PositionBias, to_map, to_tokens,
};

/// The network.
#[derive(Debug)]
pub struct Cat {
    /// The configuration it was built with.
    pub config: Config,
    /// What stands around the groups.
    pub frame: Frame,
    before: LayerNorm,
    /// The residual groups, in order.
    pub groups: Vec<Group>,
}

impl Cat {
    /// A CAT at path `p`, all weights zero; the parameter paths are the official checkpoint's keys.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        Self {
            config: cfg.clone(),
            frame: Frame::new(p, &cfg.shape()),
            before: LayerNorm::new(&(p / "before_RG" / 1), cfg.embed_dim),
            groups: (0..cfg.depth.len())
                .map(|i| Group::new(&(p / "layers" / i), cfg, i))
                .collect(),
        }
    }

    /// The normalised tokens (B, H, W, C) of the first features (B, C, H, W).
    pub fn embed(&self, first: &Tensor) -> Tensor {
        self.before.forward(&to_tokens(first))
    }
}

impl Network for Cat {
    fn scale(&self) -> i64 {
        self.config.upscale
    }

    fn channels(&self) -> i64 {
        self.config.embed_dim
    }

    fn blocks(&self) -> usize {
        self.groups.len()
    }

    fn multiple(&self) -> i64 {
        self.config.multiple()
    }

    fn channels_last(&self) -> bool {
        true
    }

    /// Its windows are as long as the image.
    fn reach(&self) -> Option<i64> {
        None
    }

    fn memory(&self, height: i64, width: i64) -> u64 {
        let split = self.config.split_size_0.iter().max().copied().unwrap_or(1);
        let heads = self.config.num_heads.iter().max().copied().unwrap_or(1);
        let tokens = height.max(width) * split;
        let maps = height * width * self.config.embed_dim * 28;
        network::floats(maps).saturating_add(network::floats(3 * heads * tokens * tokens))
    }

    /// `basicsr/models/cat_model.py`, `test`.
    fn official_tiling(&self) -> OfficialTiling {
        OfficialTiling {
            side: None,
            border: Border::Symmetric,
            overlap: Overlap::Pixels(16),
        }
    }

    /// `after_block` is given a group's output after its convolution and skip and before the final norm.
    fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor {
        let groups = self.groups.iter();
        let groups = groups.map(|group| |tokens: &Tensor| group.forward(tokens));
        self.frame
            .around(x, |first| self.embed(first), groups, after_block)
    }
}

/// Whether a checkpoint's tensor of this name is a mask that is computed here: `layers.*.blocks.*.attn_mask_{0,1}`.
pub fn is_buffer(name: &str) -> bool {
    name.ends_with(".attn_mask_0") || name.ends_with(".attn_mask_1")
}

/// A residual group: blocks, a convolution and a skip.
#[derive(Debug)]
pub struct Group {
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    conv: Closing,
}

impl Group {
    fn new(p: &Path, cfg: &Config, at: usize) -> Self {
        Self {
            blocks: (0..cfg.depth[at])
                .map(|i| Block::new(&(p / "blocks" / i), cfg, at, i % 2 == 1))
                .collect(),
            conv: Closing::new(&(p / "conv"), cfg.embed_dim, cfg.resi_connection),
        }
    }

    /// The group's output for tokens (B, H, W, C).
    fn forward(&self, tokens: &Tensor) -> Tensor {
        let mut inner = tokens.shallow_clone();
        for block in &self.blocks {
            inner = block.forward(&inner);
        }
        to_tokens(&self.conv.forward(&to_map(&inner))) + tokens // (B, H, W, C)
    }
}

/// An axial block: attention in vertical and in horizontal windows, a local convolution beside it, and an MLP.
#[derive(Debug)]
pub struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    /// Of the vertical and of the horizontal windows.
    biases: [PositionBias; 2],
    get_v: Depthwise,
    proj: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
    /// Heads of one direction.
    heads: i64,
    split: i64,
    shift: i64,
}

impl Block {
    fn new(p: &Path, cfg: &Config, at: usize, shifted: bool) -> Self {
        let (c, split) = (cfg.embed_dim, cfg.split_size_0[at]);
        let heads = cfg.num_heads[at] / 2;
        let bias = |i: i64| PositionBias::new(&(p / "attns" / i / "pos"), c / 2, heads);
        Self {
            norm1: LayerNorm::new(&(p / "norm1"), c),
            qkv: Linear::new(&(p / "qkv"), c, 3 * c),
            biases: [bias(0), bias(1)],
            get_v: Depthwise::new(&(p / "get_v"), c),
            proj: Linear::new(&(p / "proj"), c, c),
            norm2: LayerNorm::new(&(p / "norm2"), c),
            mlp: Mlp::new(&(p / "mlp"), c, cfg.mlp_ratio),
            heads,
            split,
            shift: if shifted { split / 2 } else { 0 },
        }
    }

    /// (B, H, W, C) to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let qkv = self.qkv.forward(&self.norm1.forward(x)); // (B, H, W, 3 · C)
        let mixed = self.attended(&qkv) + self.local(&qkv); // (B, H, W, C)
        let x = x + self.proj.forward(&mixed);
        self.mlp.forward(&self.norm2.forward(&x)) + x
    }

    /// Both directions' attention, (B, H, W, C): the first half of the channels of q, k and v is the vertical one's.
    fn attended(&self, qkv: &Tensor) -> Tensor {
        let parts = qkv.unflatten(3, [3, 2, self.heads, -1]); // (B, H, W, 3, 2, heads, d)
        let both = self.windows(qkv.size()[1], qkv.size()[2]);
        let outs = parts
            .unbind(4)
            .into_iter()
            .zip(both.iter().zip(&self.biases))
            .map(|(part, (windows, bias))| {
                let (height, width) = windows.size();
                windows.attend(&part, &bias.forward(height, width))
            });
        Tensor::cat(&outs.collect::<Vec<_>>(), 3)
    }

    fn windows(&self, height: i64, width: i64) -> [Windows; 2] {
        [
            Windows::vertical(height, self.split, self.shift),
            Windows::horizontal(width, self.split, self.shift),
        ]
    }

    /// The locality complementary module: a convolution of v, (B, H, W, C).
    fn local(&self, qkv: &Tensor) -> Tensor {
        let c = qkv.size()[3] / 3;
        let v = to_map(&qkv.narrow(3, 2 * c, c)); // (B, C, H, W)
        to_tokens(&self.get_v.forward(&v))
    }
}

/// A 3×3 convolution of each channel by itself, with bias and zero padding.
#[derive(Debug)]
struct Depthwise {
    weight: Tensor,
    bias: Tensor,
}

impl Depthwise {
    fn new(p: &Path, c: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[c, 1, 3, 3]),
            bias: p.zeros("bias", &[c]),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let [x, weight, bias] = [x, &self.weight, &self.bias].map(precision::cast);
        x.conv2d(&weight, Some(&bias), 1, 1, 1, x.size()[1]) // (B, C, H, W)
    }
}
