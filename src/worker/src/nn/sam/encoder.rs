//! SAM's image encoder: a ViT with window attention and a few global blocks (official `image_encoder.py`).
//! Unaware of prompts, of masks and of how an image was brought to its size.

use tch::nn::Path;
use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::fused;
use super::layers::{Activation, EPS, LayerNorm, Linear, Mlp};
use super::relpos;
use crate::nn::kernels;

/// The encoder.
#[derive(Debug)]
pub struct ImageEncoder {
    patch_weight: Tensor,
    patch_bias: Tensor,
    pos_embed: Tensor,
    /// The transformer's blocks.
    pub blocks: Vec<Block>,
    neck: Neck,
    patch_size: i64,
}

impl ImageEncoder {
    /// An encoder at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let (dim, patch, grid) = (cfg.embed_dim, cfg.patch_size, cfg.grid());
        let proj = p / "patch_embed" / "proj";
        Self {
            patch_weight: proj.zeros("weight", &[dim, 3, patch, patch]),
            patch_bias: proj.zeros("bias", &[dim]),
            pos_embed: p.zeros("pos_embed", &[1, grid, grid, dim]),
            blocks: (0..cfg.depth)
                .map(|i| Block::new(&(p / "blocks" / i), cfg, i))
                .collect(),
            neck: Neck::new(&(p / "neck"), dim, cfg.prompt_dim),
            patch_size: patch,
        }
    }

    /// The embedding (B, C, S/patch, S/patch) of `x` (B, 3, S, S), normalised and padded.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.walk(x, &mut |_, _| ())
    }

    /// The same; `see` is shown each module's output under its official name, in order.
    pub fn walk(&self, x: &Tensor, see: &mut dyn FnMut(&str, &Tensor)) -> Tensor {
        let patches = self.patches(x);
        see("patch_embed", &patches);
        let mut tokens = self.placed(&patches);
        for (i, block) in self.blocks.iter().enumerate() {
            tokens = block.forward(&tokens);
            see(&format!("blocks.{i}"), &tokens);
        }
        self.neck.walk(&tokens, see)
    }

    /// Patches with their absolute positions, (B, H, W, dim).
    pub fn placed(&self, patches: &Tensor) -> Tensor {
        patches + &self.pos_embed
    }

    /// The patches of `x` (B, 3, S, S) as tokens (B, H, W, dim).
    fn patches(&self, x: &Tensor) -> Tensor {
        let patches = x.conv2d(
            &self.patch_weight,
            Some(&self.patch_bias),
            self.patch_size,
            0,
            1,
            1,
        );
        patches.permute([0, 2, 3, 1]).contiguous()
    }
}

/// A transformer block: attention in windows, or over the whole grid, then an MLP.
#[derive(Debug)]
pub struct Block {
    /// The norm before attention.
    pub norm1: LayerNorm,
    /// The attention.
    pub attn: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    /// The window's side; nothing for global attention.
    pub window: Option<i64>,
}

impl Block {
    fn new(p: &Path, cfg: &Config, i: usize) -> Self {
        let dim = cfg.embed_dim;
        Self {
            norm1: LayerNorm::new(&(p / "norm1"), dim, EPS),
            attn: Attention::new(&(p / "attn"), dim, cfg.num_heads, cfg.rel_pos_length(i)),
            norm2: LayerNorm::new(&(p / "norm2"), dim, EPS),
            mlp: Mlp::new(&(p / "mlp"), dim, cfg.mlp_dim(), Activation::Gelu),
            window: cfg.window(i),
        }
    }

    /// The block's output for `x` (B, H, W, dim).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let x = self
            .attn
            .proj
            .forward(&self.attended(&self.norm1.forward(x)))
            + x;
        self.mlp.forward(&self.norm2.forward(&x)) + x // (B, H, W, dim)
    }

    /// Attention without its last projection, which is done for the real tokens only, not for padded ones.
    fn attended(&self, x: &Tensor) -> Tensor {
        match self.window {
            None => self.attn.attend(x),
            Some(side) => {
                let size = x.size();
                let inside = self.attn.attend(&windows(x, side));
                joined(&inside, side, (size[1], size[2]))
            }
        }
    }
}

/// Multi-head self-attention with decomposed relative positions.
#[derive(Debug)]
pub struct Attention {
    qkv: Linear,
    /// The last projection.
    pub proj: Linear,
    rel_pos_h: Tensor,
    rel_pos_w: Tensor,
    heads: i64,
}

impl Attention {
    /// Attention of `heads` heads over `dim` channels, with tables of `length` relative positions, at path `p`.
    pub fn new(p: &Path, dim: i64, heads: i64, length: i64) -> Self {
        let head_dim = dim / heads;
        Self {
            qkv: Linear::new(&(p / "qkv"), dim, dim * 3),
            proj: Linear::new(&(p / "proj"), dim, dim),
            rel_pos_h: p.zeros("rel_pos_h", &[length, head_dim]),
            rel_pos_w: p.zeros("rel_pos_w", &[length, head_dim]),
            heads,
        }
    }

    /// Attention over each of `x` (B, H, W, dim), before the last projection. On a CPU it is float32 in every precision, but
    /// for bfloat16 on a processor with AMX (`nn/kernels.rs`).
    pub fn attend(&self, x: &Tensor) -> Tensor {
        let (b, h, w) = (x.size()[0], x.size()[1], x.size()[2]);
        let qkv = self.queries_keys_values(x);
        let by_amx =
            x.kind() == Kind::BFloat16 && kernels::current().attention == kernels::Attention::Amx;
        let attended = if x.device() == Device::Cpu && !by_amx {
            self.attend_fused(&qkv.to_kind(Kind::Float), (h, w))
                .to_kind(x.kind())
        } else {
            self.by_heads(&qkv, (h, w))
        };
        attended.view([b, h, w, -1]) // (B, H, W, dim)
    }

    /// Queries, keys and values of `x` (B, H, W, dim): (3, B, heads, H·W, d).
    pub fn queries_keys_values(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let qkv = self.qkv.forward(x);
        let qkv = qkv.view([size[0], size[1] * size[2], 3, self.heads, -1]);
        qkv.permute([2, 0, 3, 1, 4])
    }

    /// The attention of `qkv` (3, B, heads, H·W, d) in float32 on a CPU, as (B, H·W, dim).
    pub fn attend_fused(&self, qkv: &Tensor, grid: (i64, i64)) -> Tensor {
        let qkv = qkv.contiguous();
        let [rows, columns] = self.biases(&qkv, grid);
        fused::attend(&qkv, &rows.flatten(2, 3), &columns.flatten(2, 3))
    }

    /// The attention of `qkv` (3, B, heads, H·W, d) by `PyTorch`'s fused kernel, as (B, H·W, dim).
    ///
    /// The relative positions enter as a bias. It is as large as the attention itself: it is made for a few heads at a time,
    /// always in the same memory.
    pub fn by_heads(&self, qkv: &Tensor, (h, w): (i64, i64)) -> Tensor {
        let (q, k, v) = (qkv.get(0), qkv.get(1), qkv.get(2));
        let b = q.size()[0];
        let [rows, columns] = self.biases(qkv, (h, w));
        let (rows, columns) = (rows.unsqueeze(-1), columns.unsqueeze(-2));
        let numbers = if q.device() == Device::Cpu {
            MOST_BIAS_CPU
        } else {
            MOST_BIAS
        };
        let most = (numbers / (b * (h * w).pow(2)).max(1)).clamp(1, self.heads);
        let buffer = relpos::bias_buffer(b, most, (h, w), &q);
        let parts = (0..self.heads).step_by(most as usize).map(|first| {
            let n = most.min(self.heads - first);
            let part = |t: &Tensor| t.narrow(1, first, n);
            let bias = part(&rows).add_out(&buffer.narrow(1, 0, n), &part(&columns));
            let bias = bias.view([b, n, h * w, h * w]);
            let out = sdpa(&part(&q), &part(&k), &part(&v), &bias); // (B, n, H·W, C/heads)
            out.transpose(1, 2)
        });
        let parts: Vec<Tensor> = parts.collect();
        Tensor::cat(&parts, 2).flatten(2, 3) // (B, H·W, dim)
    }

    fn biases(&self, qkv: &Tensor, grid: (i64, i64)) -> [Tensor; 2] {
        relpos::biases(&qkv.get(0), grid, &self.rel_pos_h, &self.rel_pos_w)
    }
}

/// The most numbers of bias that are made at once.
const MOST_BIAS: i64 = 1 << 28;
/// The same on a CPU, where they stay near its caches.
const MOST_BIAS_CPU: i64 = 1 << 24;

fn sdpa(q: &Tensor, k: &Tensor, v: &Tensor, bias: &Tensor) -> Tensor {
    Tensor::scaled_dot_product_attention(q, k, v, Some(bias), 0.0, false, None, false)
}

/// The `side`×`side` windows of `x` (B, H, W, C), padded with zeros at the right and the bottom: (B·n, side, side, C).
/// Padded tokens take part in attention, as in the official code.
pub fn windows(x: &Tensor, side: i64) -> Tensor {
    let size = x.size();
    let (down, right) = (round_up(size[1], side), round_up(size[2], side));
    let x = if (down, right) == (size[1], size[2]) {
        x.shallow_clone()
    } else {
        x.constant_pad_nd([0, 0, 0, right - size[2], 0, down - size[1]])
    };
    let x = x.view([size[0], down / side, side, right / side, side, size[3]]);
    x.permute([0, 1, 3, 2, 4, 5])
        .reshape([-1, side, side, size[3]])
}

/// The image (B, H, W, C) of its windows, padding cut off.
fn joined(windows: &Tensor, side: i64, (h, w): (i64, i64)) -> Tensor {
    let (down, right) = (round_up(h, side) / side, round_up(w, side) / side);
    let channels = windows.size()[3];
    let x = windows.view([-1, down, right, side, side, channels]);
    let x = x.permute([0, 1, 3, 2, 4, 5]);
    let x = x.reshape([-1, down * side, right * side, channels]);
    x.narrow(1, 0, h).narrow(2, 0, w)
}

fn round_up(length: i64, side: i64) -> i64 {
    (length + side - 1) / side * side
}

/// The neck: 1×1 convolution, norm, 3×3 convolution, norm; no biases.
#[derive(Debug)]
struct Neck {
    narrow: Tensor,
    norm1: LayerNorm,
    mix: Tensor,
    norm2: LayerNorm,
}

impl Neck {
    fn new(p: &Path, dim: i64, channels: i64) -> Self {
        Self {
            narrow: (p / 0).zeros("weight", &[channels, dim, 1, 1]),
            norm1: LayerNorm::new(&(p / 1), channels, EPS),
            mix: (p / 2).zeros("weight", &[channels, channels, 3, 3]),
            norm2: LayerNorm::new(&(p / 3), channels, EPS),
        }
    }

    /// (B, C, H, W) of tokens (B, H, W, dim).
    fn walk(&self, tokens: &Tensor, see: &mut dyn FnMut(&str, &Tensor)) -> Tensor {
        let none = None::<&Tensor>;
        let x = tokens
            .permute([0, 3, 1, 2])
            .conv2d(&self.narrow, none, 1, 0, 1, 1);
        see("neck.0", &x);
        let x = self.norm1.forward_2d(&x);
        see("neck.1", &x);
        let x = x.conv2d(&self.mix, none, 1, 1, 1, 1);
        see("neck.2", &x);
        let x = self.norm2.forward_2d(&x).contiguous();
        see("neck.3", &x);
        x
    }
}
