//! The mask decoder's attention layers (official `transformer.py`, `Attention`), each in the form that costs least.
//! Unaware of the order of layers.
//!
//! A prompt has a handful of tokens T, the image has thousands of positions N, and the two attend to each other. The
//! official code projects all N positions for each prompt. The same numbers come from projecting the tokens instead:
//! `q·(W x) = (Wᵀ q)·x` for keys, and `Σ a (W x) = W (Σ a x)` for values. That halves the arithmetic. Where all prompts
//! still see the same image (the first layer), it is projected once for all prompts.

use tch::Tensor;
use tch::nn::Path;

use super::layers::Linear;

/// Attention with projections of its own for queries, keys and values.
#[derive(Debug)]
pub struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: i64,
}

/// The image as a prompt sees it: `keys` (B, N, C) and the same plus its positional encoding; B is 1 where all
/// prompts see the same.
#[derive(Debug)]
pub struct Keys {
    /// Without positions.
    pub plain: Tensor,
    /// With positions.
    pub placed: Tensor,
}

impl Keys {
    /// Keys of `plain` (B, N, C) with positions `pe` (1, N, C).
    pub fn new(plain: Tensor, pe: &Tensor) -> Self {
        let placed = &plain + pe;
        Self { plain, placed }
    }

    /// Whether all prompts see the same image.
    pub fn is_shared(&self) -> bool {
        self.plain.size()[0] == 1
    }
}

impl Attention {
    /// Attention over `dim` channels, `inner` of them inside, at path `p`.
    pub fn new(p: &Path, dim: i64, inner: i64, heads: i64) -> Self {
        Self {
            q_proj: Linear::new(&(p / "q_proj"), dim, inner),
            k_proj: Linear::new(&(p / "k_proj"), dim, inner),
            v_proj: Linear::new(&(p / "v_proj"), dim, inner),
            out_proj: Linear::new(&(p / "out_proj"), inner, dim),
            heads,
        }
    }

    /// Attention of tokens to tokens: `q`, `k`, `v` (B, T, C), as (B, T, C).
    pub fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
        let split = |x: Tensor| self.split(&x).permute([1, 0, 2, 3]); // (B, heads, T, d)
        let (q, k, v) = (
            split(self.q_proj.forward(q)),
            split(self.k_proj.forward(k)),
            split(self.v_proj.forward(v)),
        );
        let scores = (q * self.scale()).matmul(&k.transpose(2, 3)); // (B, heads, T, T)
        let out = scores.softmax(-1, scores.kind()).matmul(&v); // (B, heads, T, d)
        self.out_proj.forward(&out.transpose(1, 2).flatten(2, 3)) // (B, T, C)
    }

    /// Attention of tokens `q` (B, T, C) to an image of their own each.
    pub fn to_image(&self, q: &Tensor, keys: &Keys) -> Tensor {
        let (b, t) = (q.size()[0], q.size()[1]);
        let q = self.rows(&self.split(&(self.q_proj.forward(q) * self.scale()))); // (heads, B·T, d)
        let q = by_prompt(&q.bmm(&self.heads_of(&self.k_proj)), b); // (B, heads·T, C); the bias moves no weight
        let weights = q.bmm(&keys.placed.transpose(1, 2)).softmax(-1, q.kind()); // (B, heads·T, N)
        let seen = weights.bmm(&keys.plain).view([b, self.heads, t, -1]); // (B, heads, T, C)
        let seen = seen.transpose(0, 1).reshape([self.heads, b * t, -1]); // (heads, B·T, C)
        let values = seen.bmm(&self.heads_of(&self.v_proj).transpose(1, 2)); // (heads, B·T, d)
        let values = values + self.v_proj.bias.view([self.heads, 1, -1]);
        self.out_proj.forward(&self.merged(&values, b)) // (B, T, C)
    }

    /// Attention of tokens `q` (B, T, C) to the one image that `projected` holds.
    pub fn to_shared_image(&self, q: &Tensor, projected: &ProjectedKeys) -> Tensor {
        let b = q.size()[0];
        let q = self.rows(&self.split(&(self.q_proj.forward(q) * self.scale()))); // (heads, B·T, d)
        let weights = q.bmm(&projected.keys.transpose(1, 2)).softmax(-1, q.kind()); // (heads, B·T, N)
        self.out_proj
            .forward(&self.merged(&weights.bmm(&projected.values), b)) // (B, T, C)
    }

    /// Keys and values of an image (1, N, C), for [`Attention::to_shared_image`].
    pub fn project(&self, keys: &Keys) -> ProjectedKeys {
        ProjectedKeys {
            keys: self.rows(&self.split(&self.k_proj.forward(&keys.placed))),
            values: self.rows(&self.split(&self.v_proj.forward(&keys.plain))),
        }
    }

    /// Queries of an image (1, N, C) as (heads, N, d), for [`Attention::from_shared_image`].
    pub fn project_queries(&self, keys: &Keys) -> Tensor {
        self.rows(&self.split(&(self.q_proj.forward(&keys.placed) * self.scale())))
    }

    /// The image plus its attention to tokens of its own: `k`, `v` (B, T, C), as (B, N, C).
    pub fn from_image(&self, keys: &Keys, k: &Tensor, v: &Tensor) -> Tensor {
        let (b, t) = (k.size()[0], k.size()[1]);
        let k = self.rows(&self.split(&(self.k_proj.forward(k) * self.scale()))); // (heads, B·T, d)
        let constant = k.bmm(&self.q_proj.bias.view([self.heads, -1, 1])); // (heads, B·T, 1)
        let k = by_prompt(&k.bmm(&self.heads_of(&self.q_proj)), b); // (B, heads·T, C)
        let scores = by_prompt(&constant, b).baddbmm(&k, &keys.placed.transpose(1, 2), 1, 1); // (B, heads·T, N)
        let scores = scores.view([b, self.heads, t, -1]);
        self.added(keys, &scores.softmax(2, scores.kind()), v)
    }

    /// The same where all prompts see one image, whose projected queries are `q` (heads, N, d).
    pub fn from_shared_image(&self, keys: &Keys, q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
        let (b, t) = (k.size()[0], k.size()[1]);
        let k = self.rows(&self.split(&self.k_proj.forward(k))); // (heads, B·T, d)
        let scores = k.bmm(&q.transpose(1, 2)).view([self.heads, b, t, -1]); // (heads, B, T, N)
        let weights = scores.softmax(2, scores.kind()).transpose(0, 1);
        self.added(keys, &weights, v)
    }

    /// `keys` plus the projected sums of `v` (B, T, C) by `weights` (B, heads, T, N).
    ///
    /// A head's weights sum to 1 at each position, so a share of the bias in each of its rows adds up to the bias.
    fn added(&self, keys: &Keys, weights: &Tensor, v: &Tensor) -> Tensor {
        let (b, n) = (v.size()[0], weights.size()[3]);
        let v = self.rows(&self.split(&self.v_proj.forward(v))); // (heads, B·T, d)
        let dim = self.out_proj.weight.size()[0];
        let out = self
            .out_proj
            .weight
            .view([dim, self.heads, -1])
            .permute([1, 2, 0]); // (heads, d, C)
        let rows = by_prompt(&v.bmm(&out), b) + &self.out_proj.bias / self.heads; // (B, heads·T, C)
        let weights = weights.reshape([b, -1, n]).transpose(1, 2); // (B, N, heads·T)
        keys.plain
            .expand([b, -1, -1], false)
            .baddbmm(&weights, &rows, 1, 1)
    }

    fn scale(&self) -> f64 {
        let width = self.q_proj.bias.size()[0] / self.heads;
        1.0 / (width as f64).sqrt()
    }

    /// (B, T, inner) as (heads, B, T, d).
    fn split(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        x.view([size[0], size[1], self.heads, -1])
            .permute([2, 0, 1, 3])
    }

    /// (heads, B, T, d) as (heads, B·T, d).
    fn rows(&self, x: &Tensor) -> Tensor {
        x.reshape([self.heads, -1, x.size()[3]])
    }

    /// (heads, B·T, d) as (B, T, inner).
    fn merged(&self, x: &Tensor, b: i64) -> Tensor {
        let x = x.view([self.heads, b, -1, x.size()[2]]);
        x.permute([1, 2, 0, 3]).flatten(2, 3)
    }

    /// A projection's weight by heads, (heads, d, C).
    fn heads_of(&self, proj: &Linear) -> Tensor {
        proj.weight.view([self.heads, -1, proj.weight.size()[1]])
    }
}

/// (heads, B·T, C) as (B, heads·T, C).
fn by_prompt(x: &Tensor, b: i64) -> Tensor {
    let (heads, c) = (x.size()[0], x.size()[2]);
    x.view([heads, b, -1, c])
        .transpose(0, 1)
        .reshape([b, -1, c])
}

/// One image's keys and values, (heads, N, d) each.
#[derive(Debug)]
pub struct ProjectedKeys {
    keys: Tensor,
    values: Tensor,
}
