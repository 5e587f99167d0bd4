//! Multi-head attention within groups of tokens, with a bias on the scores.
//! Unaware of how tokens were grouped and of where the bias comes from.

use tch::{Device, Tensor};

use crate::nn::precision;

/// Attends within each group: `qkv` (3, G, heads, N, d) and `bias` (1 or G, 1 or heads, N, N) to (G, N, heads · d).
///
/// Scores are q·k/√d + `bias`. The fused kernel never holds them; it is taken unless the bias wants a gradient.
pub fn attend(qkv: &Tensor, bias: &Tensor) -> Tensor {
    let multiple = if qkv.device() == Device::Cpu {
        1
    } else {
        MULTIPLE
    };
    attend_padded(qkv, bias, multiple)
}

/// CUDA's fused kernels want heads whose width is a multiple of this; of others, as ART's and CAT's of 30, all scores would be
/// held, in float32.
const MULTIPLE: i64 = 8;

/// The same with heads padded to a multiple of so many channels by zeros, which change no score and are cut off again.
fn attend_padded(qkv: &Tensor, bias: &Tensor, multiple: i64) -> Tensor {
    let width = qkv.size()[4];
    let missing = (-width).rem_euclid(multiple);
    let padded = (missing > 0).then(|| qkv.constant_pad_nd([0, missing]));
    let scale = padded.is_some().then(|| 1.0 / (width as f64).sqrt());
    // Taken apart at once: the gradient of each part alone would be padded with zeros to the whole.
    let parts = padded.as_ref().unwrap_or(qkv).unbind(0);
    let (q, k, v) = (&parts[0], &parts[1], &parts[2]);
    let bias = precision::to(bias, q.kind());
    let out = Tensor::scaled_dot_product_attention(q, k, v, Some(&bias), 0.0, false, scale, false);
    let out = if missing > 0 {
        out.narrow(3, 0, width)
    } else {
        out
    };
    out.transpose(1, 2).flatten(2, 3) // (G, N, heads · d)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn heads_that_are_padded_attend_alike() {
        tch::manual_seed(1);
        let drawn = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        let qkv = drawn(&[3, 2, 3, 16, 30]).set_requires_grad(true);
        let bias = drawn(&[2, 3, 16, 16]);
        let weights = drawn(&[2, 16, 90]);
        let both = [1, MULTIPLE].map(|multiple| {
            let out = attend_padded(&qkv, &bias, multiple);
            assert_eq!(out.size(), [2, 16, 90]);
            let gradient =
                Tensor::run_backward(&[(&out * &weights).sum(Kind::Float)], &[&qkv], false, false);
            (out.detach(), gradient[0].copy())
        });
        let [(out, gradient), (padded_out, padded_gradient)] = both;
        assert!(out.allclose(&padded_out, 1e-5, 1e-6, false));
        assert!(gradient.allclose(&padded_gradient, 1e-5, 1e-6, false));
    }
}
