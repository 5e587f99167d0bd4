//! Layers over tokens, whose channels stand last: linear, layer norm, and the MLP of a transformer block.
//! Unaware of images and of attention.

use tch::nn::Path;
use tch::{Kind, Tensor};

use crate::nn::{kernels, precision};

/// A linear layer with bias over the last dimension: `weight` (`c_out`, `c_in`), `bias` (`c_out`).
#[derive(Debug)]
pub struct Linear {
    /// (`c_out`, `c_in`).
    pub weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// A layer of `c_in` to `c_out` channels at path `p`, zero until loaded or drawn.
    pub fn new(p: &Path, c_in: i64, c_out: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[c_out, c_in]),
            bias: p.zeros("bias", &[c_out]),
        }
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// (…, `c_in`) to (…, `c_out`).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let [weight, bias] = self.parameters().map(precision::cast);
        kernels::linear(&precision::cast(x), &weight, &bias)
    }
}

/// Layer norm over the last dimension with weight and bias; epsilon 1e-5, `PyTorch`'s default.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// A norm of `channels` at path `p`, zero until loaded or drawn.
    pub fn new(p: &Path, channels: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[channels]),
            bias: p.zeros("bias", &[channels]),
        }
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// (…, C) to the same, always in float32.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let shape = self.weight.size();
        let x = precision::to(x, Kind::Float);
        x.layer_norm(shape, Some(&self.weight), Some(&self.bias), EPSILON, false)
    }
}

const EPSILON: f64 = 1e-5;

/// Linear – exact GELU – linear.
#[derive(Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    /// An MLP at path `p` whose hidden layer has ⌊`channels` · `ratio`⌋ channels.
    pub fn new(p: &Path, channels: i64, ratio: f64) -> Self {
        let hidden = (channels as f64 * ratio) as i64;
        Self {
            fc1: Linear::new(&(p / "fc1"), channels, hidden),
            fc2: Linear::new(&(p / "fc2"), hidden, channels),
        }
    }

    /// (…, C) to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.fc2.forward(&self.fc1.forward(x).gelu("none"))
    }
}
