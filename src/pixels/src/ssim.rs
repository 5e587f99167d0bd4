//! Structural similarity over a tile, with a separable Gaussian window in double precision.
//! Unaware of colour and of how images are cut into tiles.

#![expect(
    clippy::inline_always,
    reason = "helpers must be compiled with the caller's vector instructions"
)]

use multiversion::multiversion;

use crate::tile::{ACROSS, STRIDE, WINDOW};

/// Standard deviation of the window, in pixels.
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// The smoothed quantities: x, y, x² + y² and x·y (the index needs no more than the sum of the variances).
type Quantities = [[f64; ACROSS]; 4];

/// The last eleven rows, smoothed along themselves, and the window.
pub(crate) struct Ring {
    rows: Vec<Quantities>,
    half: [f64; 6],
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self {
            rows: vec![[[0.0; ACROSS]; 4]; WINDOW],
            half: half_window(),
        }
    }
}

/// The normalised Gaussian from its centre outwards (`OpenCV`'s `getGaussianKernel(11, 1.5)`).
fn half_window() -> [f64; 6] {
    let raw: [f64; 6] = std::array::from_fn(|i| (-((i * i) as f64) / (2.0 * SIGMA * SIGMA)).exp());
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    raw.map(|weight| weight / sum)
}

/// The sum of the similarity over the first `across`×`down` window positions of a tile, which reaches ten
/// samples further on both sides. What lies beyond that may be anything finite.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn similarity(
    a: &[[f32; STRIDE]],
    b: &[[f32; STRIDE]],
    across: usize,
    down: usize,
    ring: &mut Ring,
) -> f64 {
    let (mut sums, half, rows) = ([0.0; ACROSS], ring.half, &mut ring.rows);
    for (y, (a, b)) in a.iter().zip(b).enumerate().take(down + WINDOW - 1) {
        smooth_row(a, b, &half, &mut rows[y % WINDOW]);
        if y + 1 >= WINDOW {
            let newest: [&Quantities; WINDOW] =
                std::array::from_fn(|k| &rows[(y + 1 + k) % WINDOW]);
            add_similarity(&newest, &half, &mut sums);
        }
    }
    sums[..across].iter().sum()
}

/// The four quantities of one row, smoothed along it.
#[inline(always)]
fn smooth_row(a: &[f32; STRIDE], b: &[f32; STRIDE], half: &[f64; 6], out: &mut Quantities) {
    let mut raw = [[0.0; STRIDE]; 4];
    let [xs, ys, squares, products] = &mut raw;
    for (i, (&x, &y)) in a.iter().zip(b).enumerate() {
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
    let mut smooth: Quantities = [[0.0; ACROSS]; 4];
    for (q, smooth) in smooth.iter_mut().enumerate() {
        let columns: [&[f64; ACROSS]; WINDOW] = std::array::from_fn(|k| &rows[k][q]);
        for (i, smooth) in smooth.iter_mut().enumerate() {
            *smooth = weigh(half, |k| columns[k][i]);
        }
    }
    let [xs, ys, squares, products] = &smooth;
    for (i, sum) in sums.iter_mut().enumerate() {
        let (means, mean_squares) = (xs[i] * ys[i], xs[i] * xs[i] + ys[i] * ys[i]);
        let above = (2.0 * means + C1) * (2.0 * (products[i] - means) + C2);
        let below = (mean_squares + C1) * (squares[i] - mean_squares + C2);
        *sum += above / below;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::image::Rgb8;
    use crate::noise::RandomState;

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

    /// An image of random samples; all three channels are equal.
    fn grey(seed: u32, width: usize, height: usize) -> Rgb8 {
        let mut state = RandomState::new(seed);
        let samples = (0..width * height).flat_map(|_| [(state.next_u32() >> 24) as u8; 3]);
        Rgb8::new(width, height, samples.collect()).unwrap()
    }

    #[test]
    fn tiles_cover_every_position_once() {
        for (width, height) in [
            (11, 11),
            (140, 80),
            (300, 11),
            (138, 74),
            (139, 75),
            (12, 140),
        ] {
            let (a, b) = (grey(1, width, height), grey(99, width, height));
            let found = crate::metric::ssim(&a, &b, 0, Channel::Rgb).unwrap();
            assert!((found - naive(&a, &b)).abs() < 1e-12, "{width}x{height}");
        }
    }

    /// The definition, position by position with a two-dimensional window.
    fn naive(a: &Rgb8, b: &Rgb8) -> f64 {
        let (half, mut sum) = (half_window(), 0.0);
        for y in 0..=a.height - WINDOW {
            for x in 0..=a.width - WINDOW {
                let mean = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                    let at = |i: usize| {
                        let (dy, dx) = (i / WINDOW, i % WINDOW);
                        let weight = half[dy.abs_diff(5)] * half[dx.abs_diff(5)];
                        weight
                            * f(
                                a.row(y + dy)[3 * (x + dx)].into(),
                                b.row(y + dy)[3 * (x + dx)].into(),
                            )
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
