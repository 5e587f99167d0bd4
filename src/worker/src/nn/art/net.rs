//! ART itself: residual groups of transformer blocks, dense and sparse in turns.
//! Unaware of how tokens are grouped, which `groups` knows, and of images larger than memory.

use tch::Tensor;
use tch::nn::Path;

use super::{Config, Groups};
use crate::nn::network::{self, AfterBlock, Network, OfficialTiling};
use crate::nn::tiling::{Border, OFFICIAL_SIDE, Overlap};
use crate::nn::transformer::{
    Closing, Frame, LayerNorm, Linear, Mlp, PositionBias, attend, to_map, to_tokens,
};

/// The network.
#[derive(Debug)]
pub struct Art {
    /// The configuration it was built with.
    pub config: Config,
    /// What stands around the groups.
    pub frame: Frame,
    patch_norm: LayerNorm,
    /// The residual groups, in order.
    pub groups: Vec<Group>,
}

impl Art {
    /// An ART at path `p`, all weights zero; the parameter paths are the official checkpoint's keys.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        Self {
            config: cfg.clone(),
            frame: Frame::new(p, &cfg.shape()),
            patch_norm: LayerNorm::new(&(p / "patch_embed" / "norm"), cfg.embed_dim),
            groups: (0..cfg.depths.len())
                .map(|i| Group::new(&(p / "layers" / i), cfg, i))
                .collect(),
        }
    }

    /// The normalised tokens (B, H, W, C) of the first features (B, C, H, W).
    pub fn embed(&self, first: &Tensor) -> Tensor {
        self.patch_norm.forward(&to_tokens(first))
    }
}

impl Network for Art {
    fn scale(&self) -> i64 {
        self.config.upscale
    }

    fn channels(&self) -> i64 {
        self.config.embed_dim
    }

    fn blocks(&self) -> usize {
        self.groups.len()
    }

    fn channels_last(&self) -> bool {
        true
    }

    /// `basicsr/models/art_model.py`, `test`.
    fn official_tiling(&self) -> OfficialTiling {
        OfficialTiling {
            side: Some(OFFICIAL_SIDE),
            border: Border::Reflect,
            overlap: Overlap::Fraction(10),
        }
    }

    /// Its sparse groups take tokens of the whole image.
    fn reach(&self) -> Option<i64> {
        None
    }

    /// Mostly the biases of its sparse attention, which grow with the square of a group.
    fn memory(&self, height: i64, width: i64) -> u64 {
        let group = |interval: &i64| (height / interval + 1) * (width / interval + 1);
        let largest = self.config.interval.iter().map(group).max().unwrap_or(1);
        let heads = self.config.num_heads.iter().max().copied().unwrap_or(1);
        let maps = height * width * self.config.embed_dim * 24;
        network::floats(maps).saturating_add(network::floats(3 * heads * largest * largest))
    }

    /// `after_block` is given a group's output after its convolution and skip and before the final norm. Takes any H and W.
    fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor {
        let groups = self.groups.iter();
        let groups = groups.map(|group| |tokens: &Tensor| group.forward(tokens));
        self.frame
            .around(x, |first| self.embed(first), groups, after_block)
    }
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
        let blocks = p / "residual_group" / "blocks";
        Self {
            blocks: (0..cfg.depths[at])
                .map(|i| Block::new(&(&blocks / i), cfg, at, i % 2 == 1))
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

/// A transformer block: attention within groups of tokens, then an MLP, each with a norm before and a skip.
#[derive(Debug)]
pub struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    window: i64,
    /// The interval of sparse attention; none in a dense block.
    interval: Option<i64>,
}

impl Block {
    fn new(p: &Path, cfg: &Config, at: usize, sparse: bool) -> Self {
        let c = cfg.embed_dim;
        Self {
            norm1: LayerNorm::new(&(p / "norm1"), c),
            attention: Attention::new(&(p / "attn"), c, cfg.num_heads[at]),
            norm2: LayerNorm::new(&(p / "norm2"), c),
            mlp: Mlp::new(&(p / "mlp"), c, cfg.mlp_ratio),
            window: cfg.window_size,
            interval: sparse.then(|| cfg.interval[at]),
        }
    }

    /// (B, H, W, C) to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let groups = self.groups(x.size()[1], x.size()[2]);
        let attended = groups.map(&self.norm1.forward(x), &|tokens, h, w| {
            self.attention.forward(tokens, h, w)
        });
        let x = x + attended; // (B, H, W, C)
        self.mlp.forward(&self.norm2.forward(&x)) + x
    }

    /// The groups of an image of this size.
    ///
    /// Where a side is no longer than the window, every block is dense with windows of the shorter side. The official
    /// module decides so for good at the first such image; here each image decides for itself, as in a fresh module.
    fn groups(&self, height: i64, width: i64) -> Groups {
        let shorter = height.min(width);
        match self.interval {
            _ if shorter <= self.window => Groups::dense(height, width, shorter),
            Some(interval) => Groups::sparse(height, width, interval),
            None => Groups::dense(height, width, self.window),
        }
    }
}

/// Multi-head attention with a dynamic position bias.
#[derive(Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    bias: PositionBias,
    heads: i64,
}

impl Attention {
    fn new(p: &Path, c: i64, heads: i64) -> Self {
        Self {
            qkv: Linear::new(&(p / "qkv"), c, 3 * c),
            proj: Linear::new(&(p / "proj"), c, c),
            bias: PositionBias::new(&(p / "pos"), c, heads),
            heads,
        }
    }

    /// (G, N, C) to the same, for groups of N = `height` · `width` tokens.
    fn forward(&self, x: &Tensor, height: i64, width: i64) -> Tensor {
        let (g, n, c) = (x.size()[0], x.size()[1], x.size()[2]);
        let qkv = self
            .qkv
            .forward(x)
            .view([g, n, 3, self.heads, c / self.heads])
            .permute([2, 0, 3, 1, 4]); // (3, G, heads, N, d)
        self.proj
            .forward(&attend(&qkv, &self.bias.forward(height, width)))
    }
}
