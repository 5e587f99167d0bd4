//! Decomposed relative positions (Li et al., `MViTv2`, 2022; official `image_encoder.py`, `get_rel_pos`).
//! Unaware of heads and windows.

use tch::{Kind, Tensor};

/// For each of `q` query and `k` key positions along one axis, its row of `table` (L, C): (q, k, C).
///
/// A table of another length than 2·max(q, k) - 1 is interpolated linearly to that length. Positions of the shorter
/// side are stretched, and fractions cut off, in float32 as in the official code.
pub fn relative_positions(q: i64, k: i64, table: &Tensor) -> Tensor {
    let length = 2 * q.max(k) - 1;
    let rows = if table.size()[0] == length {
        table.shallow_clone()
    } else {
        resized(table, length)
    };
    let index = Tensor::from_slice(&indices(q, k)).to_device(table.device());
    rows.index_select(0, &index).view([q, k, -1]) // (q, k, C)
}

/// `table` (L, C) as (length, C).
fn resized(table: &Tensor, length: i64) -> Tensor {
    let rows = table.transpose(0, 1).unsqueeze(0); // (1, C, L)
    let rows = rows.upsample_linear1d([length], false, None); // (1, C, length)
    rows.squeeze_dim(0).transpose(0, 1)
}

/// The row for each query (slow) and key (fast).
fn indices(q: i64, k: i64) -> Vec<i64> {
    let stretch_q = (k as f64 / q as f64).max(1.0) as f32;
    let stretch_k = (q as f64 / k as f64).max(1.0);
    let shift = ((k - 1) as f64 * stretch_k) as f32;
    let stretch_k = stretch_k as f32;
    let index = |i: i64, j: i64| (i as f32 * stretch_q - j as f32 * stretch_k + shift) as i64;
    (0..q)
        .flat_map(|i| (0..k).map(move |j| index(i, j)))
        .collect()
}

/// What is added to the attention of `q` (B, heads, H·W, C), not scaled, to keys on the same H×W grid: its part by rows
/// (B, heads, H, W, H) and its part by columns (B, heads, H, W, W).
pub fn biases(q: &Tensor, grid: (i64, i64), by_row: &Tensor, by_column: &Tensor) -> [Tensor; 2] {
    let ((h, w), size) = (grid, q.size());
    let q = q.view([size[0], size[1], h, w, size[3]]);
    let [by_row, by_column] = [by_row, by_column].map(|table| table.to_kind(q.kind()));
    let of_rows = relative_positions(h, h, &by_row).transpose(1, 2); // (H, C, H)
    let of_columns = relative_positions(w, w, &by_column).transpose(1, 2); // (W, C, W)
    let rows = q.matmul(&of_rows); // (B, heads, H, W, H)
    let columns = q.transpose(2, 3).matmul(&of_columns).transpose(2, 3); // (B, heads, H, W, W)
    [rows, columns]
}

/// Memory for the sum of both parts for `heads` heads of `batch` images, (batch, heads, H, W, H, W).
pub fn bias_buffer(batch: i64, heads: i64, (h, w): (i64, i64), like: &Tensor) -> Tensor {
    let kind: (Kind, _) = (like.kind(), like.device());
    Tensor::empty([batch, heads, h, w, h, w], kind)
}
