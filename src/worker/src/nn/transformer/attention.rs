//! Multi-head attention within groups of tokens, with a bias on the scores.
//! Unaware of how tokens were grouped and of where the bias comes from.

use tch::Tensor;

use crate::nn::precision;

/// Attends within each group: `qkv` (3, G, heads, N, d) and `bias` (1 or G, 1 or heads, N, N) to (G, N, heads · d).
///
/// Scores are q·k/√d + `bias`. The fused kernel never holds them; it is taken unless the bias wants a gradient.
pub fn attend(qkv: &Tensor, bias: &Tensor) -> Tensor {
    // Taken apart at once: the gradient of each part alone would be padded with zeros to the whole.
    let parts = qkv.unbind(0);
    let (q, k, v) = (&parts[0], &parts[1], &parts[2]);
    let bias = precision::to(bias, q.kind());
    let out = Tensor::scaled_dot_product_attention(q, k, v, Some(&bias), 0.0, false, None, false);
    out.transpose(1, 2).flatten(2, 3) // (G, N, heads · d)
}
