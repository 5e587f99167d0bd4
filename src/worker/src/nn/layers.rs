//! What every model here is made of: the convolution with `PyTorch`'s parameter names, and `LeakyReLU`.
//! Unaware of models, of training and of where weights come from.

use tch::Tensor;
use tch::nn::Path;

use super::precision;

/// A 2-D convolution with bias, stride 1 and zero padding that keeps height and width (odd kernels).
///
/// Parameters `weight` (`c_out`, `c_in`, k, k) and `bias` (`c_out`), zero until loaded or drawn.
#[derive(Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    padding: i64,
}

impl Conv {
    /// A convolution of `c_in` to `c_out` channels with a `kernel`×`kernel` window at path `p`.
    pub fn new(p: &Path, c_in: i64, c_out: i64, kernel: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[c_out, c_in, kernel, kernel]),
            bias: p.zeros("bias", &[c_out]),
            padding: kernel / 2,
        }
    }

    /// The convolution of `x` (B, `c_in`, H, W).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        convolve(x, &self.weight, Some(&self.bias), self.padding) // (B, c_out, H, W)
    }

    /// The convolution of the channel-wise concatenation [`a`, `b`].
    ///
    /// Where a gradient is wanted for one of them, each is convolved with its own slice of the weight, equal up to
    /// rounding: for a constant part (masks) no gradient is computed then, which `PyTorch` does for a concatenation.
    pub fn forward_pair(&self, a: &Tensor, b: &Tensor) -> Tensor {
        if !a.requires_grad() && !b.requires_grad() {
            return self.forward(&Tensor::cat(&[a, b], 1));
        }
        let weights = self.weight.split_with_sizes([a.size()[1], b.size()[1]], 1);
        let head = convolve(a, &weights[0], Some(&self.bias), self.padding);
        let tail = convolve(b, &weights[1], None, self.padding);
        head + tail // (B, c_out, H, W)
    }
}

fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, padding: i64) -> Tensor {
    let bias = bias.map(precision::cast);
    precision::cast(x).conv2d(&precision::cast(weight), bias, 1, padding, 1, 1)
}

/// `x` where positive, `slope · x` elsewhere; any shape.
///
/// tch binds `leaky_relu` without its slope. Its backward kernel computes `x > 0 ? g : slope · g`, so with `g = x` it is
/// the function itself; its derivative with respect to `g` is the function's gradient, and the detached `x` adds none.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Tensor {
    x.detach().leaky_relu_backward(x, slope, false)
}
