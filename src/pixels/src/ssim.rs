//! Structural similarity with a separable Gaussian window, in double precision, tile by tile.
//! Unaware of colour: planes come ready from `luma`.

#![expect(
    clippy::inline_always,
    reason = "helpers must be compiled with the caller's vector instructions"
)]

use multiversion::multiversion;
use rayon::prelude::*;

use crate::luma::Plane;

/// Side of the window.
pub(crate) const WINDOW: usize = 11;
/// Standard deviation of the window, in pixels.
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Window positions a tile, across and down; a part of the result's definition, down to the last bit.
const ACROSS: usize = 128;
const DOWN: usize = 64;

/// The smoothed quantities: x, y, x² + y² and x·y (the index needs no more than the sum of the variances).
type Quantities = [[f64; ACROSS]; 4];

/// The mean over all planes of the mean similarity over all positions where the window fits.
pub(crate) fn ssim_of(a: &[Plane], b: &[Plane]) -> f64 {
    a.iter().zip(b).map(|(a, b)| plane_ssim(a, b)).sum::<f64>() / a.len() as f64
}

/// The mean similarity of one plane of at least 11×11 samples.
fn plane_ssim(a: &Plane, b: &Plane) -> f64 {
    let (width, height) = (a.width + 1 - WINDOW, a.height + 1 - WINDOW);
    let (columns, strips) = (width.div_ceil(ACROSS), height.div_ceil(DOWN));
    let half = half_window();
    let tile = |index: usize| {
        let (x, y) = (index % columns * ACROSS, index / columns * DOWN);
        tile_sum(
            a,
            b,
            (x, ACROSS.min(width - x)),
            (y, DOWN.min(height - y)),
            &half,
        )
    };
    let sums: Vec<f64> = (0..columns * strips).into_par_iter().map(tile).collect();
    sums.iter().sum::<f64>() / (width * height) as f64
}

/// The normalised Gaussian from its centre outwards (`OpenCV`'s `getGaussianKernel(11, 1.5)`).
fn half_window() -> [f64; 6] {
    let raw: [f64; 6] = std::array::from_fn(|i| (-((i * i) as f64) / (2.0 * SIGMA * SIGMA)).exp());
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    raw.map(|weight| weight / sum)
}

/// The sum of the similarity over one tile; `across` and `down` are its first position and its length.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn tile_sum(
    a: &Plane,
    b: &Plane,
    across: (usize, usize),
    down: (usize, usize),
    half: &[f64; 6],
) -> f64 {
    let mut ring = vec![[[0.0; ACROSS]; 4]; WINDOW];
    let mut sums = [0.0; ACROSS];
    for y in 0..down.1 + WINDOW - 1 {
        let (row_a, row_b) = (
            &a.row(down.0 + y)[across.0..],
            &b.row(down.0 + y)[across.0..],
        );
        let samples = across.1 + WINDOW - 1;
        smooth_row(
            &row_a[..samples],
            &row_b[..samples],
            half,
            &mut ring[y % WINDOW],
        );
        if y + 1 >= WINDOW {
            let newest = y % WINDOW;
            let rows: [&Quantities; WINDOW] =
                std::array::from_fn(|k| &ring[(newest + 1 + k) % WINDOW]);
            add_similarity(&rows, half, &mut sums);
        }
    }
    sums[..across.1].iter().sum()
}

/// The four quantities of one row, smoothed along it.
#[inline(always)]
fn smooth_row(a: &[f32], b: &[f32], half: &[f64; 6], out: &mut Quantities) {
    let mut raw = [[0.0; ACROSS + WINDOW - 1]; 4];
    let [xs, ys, squares, products] = &mut raw;
    for (i, (&x, &y)) in a.iter().zip(b).enumerate().take(ACROSS + WINDOW - 1) {
        let (x, y) = (f64::from(x), f64::from(y));
        (xs[i], ys[i], squares[i], products[i]) = (x, y, x * x + y * y, x * y);
    }
    for (raw, out) in raw.iter().zip(out) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = weigh(half, |k| raw[i + k]);
        }
    }
}

/// The weighted sum of eleven values, pairs of equal weight first.
#[inline(always)]
fn weigh(half: &[f64; 6], value: impl Fn(usize) -> f64) -> f64 {
    let mut sum = half[0] * value(5);
    for (distance, weight) in half.iter().enumerate().skip(1) {
        sum += weight * (value(5 - distance) + value(5 + distance));
    }
    sum
}

/// Adds the similarity of one row of positions, from eleven rows of smoothed quantities.
#[inline(always)]
fn add_similarity(rows: &[&Quantities; WINDOW], half: &[f64; 6], sums: &mut [f64; ACROSS]) {
    for (i, sum) in sums.iter_mut().enumerate() {
        let [x, y, squares, product] = std::array::from_fn(|q| weigh(half, |k| rows[k][q][i]));
        let (means, mean_squares) = (x * y, x * x + y * y);
        let above = (2.0 * means + C1) * (2.0 * (product - means) + C2);
        let below = (mean_squares + C1) * (squares - mean_squares + C2);
        *sum += above / below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `OpenCV` 5.0's `cv2.getGaussianKernel(11, 1.5)`, its centre and outermost value.
    #[test]
    fn the_window_is_that_of_opencv() {
        let half = half_window();
        assert!(
            (half[0] - 0.266_011_724_861_794_4).abs() < 1e-15,
            "{half:?}"
        );
        assert!(
            (half[5] - 0.001_028_380_084_479_11).abs() < 1e-15,
            "{half:?}"
        );
    }

    #[test]
    fn tiles_cover_every_position_once() {
        let plane = |seed: u64, width: usize, height: usize| Plane {
            width,
            height,
            data: (0..width * height)
                .map(|i| ((i as u64 * 2_654_435_761 + seed) >> 7) as f32 % 256.0)
                .collect(),
        };
        for (width, height) in [(11, 11), (140, 80), (300, 11), (138, 74), (139, 75)] {
            let (a, b) = (plane(1, width, height), plane(99, width, height));
            assert!(
                (plane_ssim(&a, &b) - naive(&a, &b)).abs() < 1e-10,
                "{width}x{height}"
            );
        }
    }

    /// The definition, position by position with a two-dimensional window.
    fn naive(a: &Plane, b: &Plane) -> f64 {
        let (half, mut sum) = (half_window(), 0.0);
        for y in 0..=a.height - WINDOW {
            for x in 0..=a.width - WINDOW {
                let mean = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                    let at = |i: usize| {
                        let (dy, dx) = (i / WINDOW, i % WINDOW);
                        let weight = half[dy.abs_diff(5)] * half[dx.abs_diff(5)];
                        weight * f(a.row(y + dy)[x + dx].into(), b.row(y + dy)[x + dx].into())
                    };
                    (0..WINDOW * WINDOW).map(at).sum()
                };
                let (mx, my) = (mean(&|x, _| x), mean(&|_, y| y));
                let (vx, vy) = (mean(&|x, _| x * x) - mx * mx, mean(&|_, y| y * y) - my * my);
                let covariance = mean(&|x, y| x * y) - mx * my;
                sum += (2.0 * mx * my + C1) * (2.0 * covariance + C2)
                    / ((mx * mx + my * my + C1) * (vx + vy + C2));
            }
        }
        sum / ((a.width + 1 - WINDOW) * (a.height + 1 - WINDOW)) as f64
    }
}
