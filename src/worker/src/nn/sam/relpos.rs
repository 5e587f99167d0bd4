//! Decomposed relative positions (Li et al., `MViTv2`, 2022; official `image_encoder.py`, `get_rel_pos`).
//! Unaware of heads and windows.

use tch::{Device, Kind, Tensor};

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
    let index = indices(q, k, table.device());
    rows.index_select(0, &index.flatten(0, 1)).view([q, k, -1]) // (q, k, C)
}

/// `table` (L, C) as (length, C).
fn resized(table: &Tensor, length: i64) -> Tensor {
    let rows = table.transpose(0, 1).unsqueeze(0); // (1, C, L)
    let rows = rows.upsample_linear1d([length], false, None); // (1, C, length)
    rows.squeeze_dim(0).transpose(0, 1)
}

/// The row for each query and key, (q, k), computed where it is used: an upload a block would be waited for.
fn indices(q: i64, k: i64, device: Device) -> Tensor {
    let stretch_q = (k as f64 / q as f64).max(1.0) as f32;
    let stretch_k = (q as f64 / k as f64).max(1.0);
    let shift = ((k - 1) as f64 * stretch_k) as f32;
    let stretched = |n: i64, by: f32| Tensor::arange(n, (Kind::Float, device)) * f64::from(by);
    let of_queries = stretched(q, stretch_q).unsqueeze(1); // (q, 1)
    let of_keys = stretched(k, stretch_k as f32).unsqueeze(0); // (1, k)
    (of_queries - of_keys + f64::from(shift)).to_kind(Kind::Int64)
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

#[cfg(test)]
mod tests {
    use super::indices;

    /// In the official order of operations, each rounded to float32, and fractions cut off.
    #[test]
    fn rows_are_those_of_the_formula_to_the_last_bit() {
        for (q, k) in [(14, 14), (64, 64), (7, 3), (3, 7), (10, 64), (64, 37)] {
            let (largest, of) = (q.max(k) as f64, |n: i64| n as f64);
            let (stretch_q, stretch_k) = (largest / of(q), largest / of(k));
            let shift = (of(k - 1) * stretch_k) as f32;
            let formula = |i: i64, j: i64| {
                let (i, j) = (i as f32 * stretch_q as f32, j as f32 * stretch_k as f32);
                (i - j + shift) as i64
            };
            let pairs = (0..q).flat_map(|i| (0..k).map(move |j| (i, j)));
            let expected: Vec<i64> = pairs.map(|(i, j)| formula(i, j)).collect();
            let index = indices(q, k, tch::Device::Cpu);
            assert_eq!(index.size(), [q, k]);
            assert_eq!(Vec::<i64>::try_from(index.view([-1])).unwrap(), expected);
        }
    }
}
