//! The image encoder's attention on a CPU: scores, relative positions, softmax and the sum of values of a few queries at a
//! time, so that scores stay in caches.
//! Unaware of windows and of projections.
//!
//! ```text
//!  q, k, v (3, B·heads, N, d) ─┬─ some queries × keys ──> scores (256, N), 4 MiB ──┐
//!                              │                                                   │  on one core
//!  rows (B·heads, N, H) ───────┼──> + relative positions, exp(· - max), sum ───────┤
//!  columns (B·heads, N, W) ────┘                                                   │
//!                                  out (256, d) <── × values, / sum ───────────────┘
//! ```
//!
//! libtorch's fused attention wants the relative positions as a mask as large as the scores, which is written to memory and
//! read back: 64 MiB for each of 12 heads in a global block of ViT-B. What is computed is the same up to rounding, and does not
//! depend on the number of threads.

use multiversion::multiversion;
use rayon::prelude::*;
use tch::Tensor;

use super::product::{Right, product};
use crate::nn::host;

/// Scores that are computed at once, 4 MiB: with fewer, packing keys for the product takes longer; with more they leave the
/// caches.
const SCORES: usize = 1 << 20;

/// Attention of `qkv` (3, B, heads, N, d), float32 on the CPU, with `rows` (B, heads, N, H) and `columns` (B, heads, N, W)
/// added to the scores of the N = H·W keys: (B, N, heads·d). Scores are scaled by 1/√d, what is added is not.
pub fn attend(qkv: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
    let size = qkv.size();
    let (b, heads, n, d) = (size[1], size[2], size[3], size[4]);
    let side = |t: &Tensor| t.size().last().map_or(0, |&n| n as usize);
    let shape = Shape {
        tokens: n as usize,
        width: d as usize,
        grid: (side(rows), side(columns)),
    };
    let (qkv, rows, columns) = (host::local(qkv), host::local(rows), host::local(columns));
    let mut out = vec![0.0; qkv.len() / 3];
    let tiles = shape.tiles(&qkv, &rows, &columns, &mut out);
    tiles
        .into_par_iter()
        .for_each_init(Vec::new, |scores, tile| tile.attend(shape, scores));
    let out = Tensor::from_slice(&out).view([b, heads, n, d]);
    out.transpose(1, 2).flatten(2, 3) // (B, N, heads·d)
}

/// What all heads have in common.
#[derive(Clone, Copy)]
struct Shape {
    /// Queries, and keys, of a head: N.
    tokens: usize,
    /// Channels of a head: d.
    width: usize,
    /// H and W, with N = H·W.
    grid: (usize, usize),
}

/// Some queries of one head with all of its keys.
struct Tile<'a> {
    queries: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    rows: &'a [f32],
    columns: &'a [f32],
    out: &'a mut [f32],
}

impl Shape {
    /// The tiles of all heads, in the order of `out` (heads, N, d).
    fn tiles<'a>(
        self,
        qkv: &'a [f32],
        rows: &'a [f32],
        columns: &'a [f32],
        out: &'a mut [f32],
    ) -> Vec<Tile<'a>> {
        let (numbers, (h, w)) = (self.tokens * self.width, self.grid);
        let most = (SCORES / self.tokens).clamp(1, self.tokens);
        let (q, rest) = qkv.split_at(out.len());
        let (k, v) = rest.split_at(out.len());
        let mut tiles = Vec::new();
        for (head, out) in out.chunks_mut(numbers).enumerate() {
            let first = head * self.tokens;
            for (part, out) in out.chunks_mut(most * self.width).enumerate() {
                let (at, count) = (first + part * most, out.len() / self.width);
                tiles.push(Tile {
                    queries: &q[at * self.width..][..out.len()],
                    keys: &k[head * numbers..][..numbers],
                    values: &v[head * numbers..][..numbers],
                    rows: &rows[at * h..][..count * h],
                    columns: &columns[at * w..][..count * w],
                    out,
                });
            }
        }
        tiles
    }
}

impl Tile<'_> {
    /// Fills `out`. `scores` is memory that the next tile of this thread uses again.
    fn attend(self, shape: Shape, scores: &mut Vec<f32>) {
        let Shape { tokens, width, .. } = shape;
        let count = self.out.len() / width;
        scores.resize(count * tokens, 0.0);
        product(
            [count, width, tokens],
            1.0 / (width as f32).sqrt(),
            self.queries,
            Right::Transposed(self.keys),
            scores,
        );
        let mut sums = vec![0.0; count];
        exponentials(scores, self.rows, self.columns, shape.grid, &mut sums);
        let values = Right::Plain(self.values);
        product([count, tokens, width], 1.0, scores, values, self.out);
        for (out, sum) in self.out.chunks_mut(width).zip(sums) {
            for x in out {
                *x /= sum;
            }
        }
    }
}

/// Numbers that are summed side by side: what one instruction of AVX-512 takes.
const LANES: usize = 16;

/// Adds to each query's scores (H·W) its `rows` (H) and `columns` (W), and replaces them by exp(score - highest score), whose sum
/// goes to `sums`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn exponentials(
    scores: &mut [f32],
    rows: &[f32],
    columns: &[f32],
    (h, w): (usize, usize),
    sums: &mut [f32],
) {
    let positions = rows.chunks_exact(h).zip(columns.chunks_exact(w));
    for ((scores, (rows, columns)), sum) in scores.chunks_exact_mut(h * w).zip(positions).zip(sums)
    {
        for (line, row) in scores.chunks_exact_mut(w).zip(rows) {
            for (score, column) in line.iter_mut().zip(columns) {
                *score += row + column;
            }
        }
        let highest = highest(scores);
        let mut totals = [0.0; LANES];
        let mut lanes = scores.chunks_exact_mut(LANES);
        for scores in &mut lanes {
            for (score, total) in scores.iter_mut().zip(&mut totals) {
                *score = exp(*score - highest);
                *total += *score;
            }
        }
        *sum = totals.iter().sum();
        for score in lanes.into_remainder() {
            *score = exp(*score - highest);
            *sum += *score;
        }
    }
}

/// The highest of some numbers. One that is NaN may be passed over: its exponential is NaN all the same.
#[inline]
fn highest(numbers: &[f32]) -> f32 {
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    let lanes = numbers.chunks_exact(LANES);
    let rest = lanes.remainder().iter().copied();
    let mut tops = [f32::NEG_INFINITY; LANES];
    for numbers in lanes {
        for (top, number) in tops.iter_mut().zip(numbers) {
            *top = higher(*top, *number);
        }
    }
    tops.into_iter().chain(rest).fold(f32::NEG_INFINITY, higher)
}

/// Below it e to the power of x leaves the normal numbers of float32.
const LOWEST: f32 = -87.0;
/// ln 2 in two parts; the first, 355/512, has so few bits that its product with a whole number is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// exp(r) for |r| ≤ ln 2 / 2 as a polynomial, highest power first: least maximum of the relative error (3e-9 before rounding).
const TERMS: [f32; 7] = [
    1.381_459_9e-3,
    8.368_717e-3,
    4.166_839e-2,
    1.666_652_1e-1,
    4.999_999_4e-1,
    1.0,
    1.0,
];

/// exp(x) of an x ≤ 0 to a few units in the last place; below -87, where it leaves the normal numbers, exp(-87) = 1.6e-38.
///
/// x is n·ln 2 + r with |r| ≤ ln 2 / 2; exp(r) is the polynomial of [`TERMS`], and n is added to its exponent. NaN stays NaN.
#[inline]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which is left in the lowest bits: 1.5·2²³.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < LOWEST { LOWEST } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], x));
    let mut sum = TERMS[0];
    for term in &TERMS[1..] {
        sum = sum.mul_add(r, *term);
    }
    f32::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exponentials_are_right_to_the_last_places() {
        let mut worst = 0.0_f64;
        for n in 0..=870_000 {
            let x = -1e-4 * n as f32;
            let right = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - right).abs() / right);
        }
        assert!(worst < 1.2e-7, "{worst:e}");
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(exp(-1e30).to_bits(), exp(-87.0).to_bits());
        assert!(exp(f32::NAN).is_nan() && exp(f32::NEG_INFINITY) < 1e-37);
    }
}
