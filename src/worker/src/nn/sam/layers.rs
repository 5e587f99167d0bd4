//! The small layers that SAM is made of, with `PyTorch`'s parameter names, zero until loaded.
//! Unaware of how they are put together.

use tch::Tensor;
use tch::nn::Path;

use crate::nn::kernels;

/// A linear layer: `weight` (`c_out`, `c_in`) and `bias` (`c_out`).
#[derive(Debug)]
pub struct Linear {
    /// The weight, (`c_out`, `c_in`).
    pub weight: Tensor,
    /// The bias, (`c_out`).
    pub bias: Tensor,
}

impl Linear {
    /// A layer of `c_in` to `c_out` channels at path `p`.
    pub fn new(p: &Path, c_in: i64, c_out: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[c_out, c_in]),
            bias: p.zeros("bias", &[c_out]),
        }
    }

    /// The layer of `x` (…, `c_in`), as (…, `c_out`).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        kernels::linear(x, &self.weight, &self.bias)
    }
}

/// Layer normalisation over the last dimension: biased variance, `weight` and `bias` (C).
///
/// The official `LayerNorm2d` is the same over the channels of (B, C, H, W); see [`LayerNorm::forward_2d`].
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

/// Epsilon in the image encoder and of every `LayerNorm2d` (official `build_sam.py`, `common.py`).
pub const EPS: f64 = 1e-6;
/// Epsilon in the mask decoder's transformer: `PyTorch`'s default.
pub const EPS_TRANSFORMER: f64 = 1e-5;

impl LayerNorm {
    /// A norm of `channels` at path `p`.
    pub fn new(p: &Path, channels: i64, eps: f64) -> Self {
        Self {
            weight: p.zeros("weight", &[channels]),
            bias: p.zeros("bias", &[channels]),
            eps,
        }
    }

    /// `x` (…, C) normalised.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let shape = self.weight.size();
        x.layer_norm(shape, Some(&self.weight), Some(&self.bias), self.eps, false)
    }

    /// `x` (B, C, H, W) normalised over its channels.
    pub fn forward_2d(&self, x: &Tensor) -> Tensor {
        self.forward(&x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2])
    }
}

/// Two linear layers, `lin1` and `lin2`, with an activation between them.
#[derive(Debug)]
pub struct Mlp {
    lin1: Linear,
    lin2: Linear,
    activation: Activation,
}

/// What stands between the layers of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The exact (erf) GELU.
    Gelu,
    /// `ReLU`.
    Relu,
}

impl Mlp {
    /// An MLP of `width` channels with `hidden` between, at path `p`.
    pub fn new(p: &Path, width: i64, hidden: i64, activation: Activation) -> Self {
        Self {
            lin1: Linear::new(&(p / "lin1"), width, hidden),
            lin2: Linear::new(&(p / "lin2"), hidden, width),
            activation,
        }
    }

    /// The MLP of `x` (…, C).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let mut hidden = self.lin1.forward(x); // (…, hidden)
        self.lin2.forward(&match self.activation {
            Activation::Gelu => hidden.gelu_("none"),
            Activation::Relu => hidden.relu_(),
        })
    }
}

/// A small head: linear layers `layers.0`… with `ReLU` between them.
#[derive(Debug)]
pub struct Head {
    layers: Vec<Linear>,
}

impl Head {
    /// A head of `depth` layers at path `p`.
    pub fn new(p: &Path, c_in: i64, hidden: i64, c_out: i64, depth: usize) -> Self {
        let layer = |i: usize| {
            let from = if i == 0 { c_in } else { hidden };
            let to = if i + 1 == depth { c_out } else { hidden };
            Linear::new(&(p / "layers" / i), from, to)
        };
        Self {
            layers: (0..depth).map(layer).collect(),
        }
    }

    /// The head's output for `x` (…, `c_in`), as (…, `c_out`).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = x.shallow_clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = if i == 0 {
                layer.forward(&x)
            } else {
                layer.forward(&x.relu())
            };
        }
        x
    }
}
