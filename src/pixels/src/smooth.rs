//! An image smoothed by a Gaussian, a few rows at a time.
//! Unaware of what the rows are for. No more of the smoothed image is held than is asked for.

use multiversion::multiversion;

use crate::image::Rgb8;
use crate::taps::mirror;

/// A Gaussian, cut off at four standard deviations, over an image with mirrored borders.
pub(crate) struct Smooth<'a> {
    image: &'a Rgb8,
    /// One weight where nothing is smoothed.
    weights: Vec<f32>,
}

impl<'a> Smooth<'a> {
    /// `sigma` in pixels; 0 for none.
    pub fn new(image: &'a Rgb8, sigma: f64) -> Self {
        let radius = if sigma > 0.0 {
            (4.0 * sigma).ceil().min(64.0) as isize
        } else {
            0
        };
        let raw: Vec<f64> = (-radius..=radius)
            .map(|i| {
                if radius == 0 {
                    1.0
                } else {
                    (-0.5 * (i as f64 / sigma).powi(2)).exp()
                }
            })
            .collect();
        let sum: f64 = raw.iter().sum();
        Self {
            image,
            weights: raw.iter().map(|weight| (weight / sum) as f32).collect(),
        }
    }

    /// The rows from `from` to before `to`, red, green and blue behind each other: row by row, plane by plane.
    pub fn rows(&self, from: usize, to: usize) -> Vec<f32> {
        let (width, height) = self.image.size();
        let radius = self.weights.len() / 2;
        let source = |y: usize, k: usize| mirror((y + k) as isize - radius as isize, height);
        let sources = (from..to).flat_map(|y| (0..self.weights.len()).map(move |k| source(y, k)));
        let (low, high) = sources.fold((usize::MAX, 0), |(low, high), y| (low.min(y), high.max(y)));
        let across: Vec<Vec<f32>> = (low..=high.max(low)).map(|y| self.across(y)).collect();
        let mut out = vec![0.0; (to - from) * 3 * width];
        for (y, row) in (from..to).zip(out.chunks_exact_mut(3 * width)) {
            for (k, weight) in self.weights.iter().enumerate() {
                add(row, &across[source(y, k) - low], *weight);
            }
        }
        out
    }

    /// One row, smoothed along itself, plane by plane.
    fn across(&self, y: usize) -> Vec<f32> {
        let width = self.image.width;
        let radius = self.weights.len() / 2;
        let pixels = &self.image.data[3 * width * y..][..3 * width];
        let mut out = vec![0.0; 3 * width];
        let mut wide = vec![0.0; width + 2 * radius];
        for (channel, plane) in out.chunks_exact_mut(width).enumerate() {
            for (at, value) in wide.iter_mut().enumerate() {
                let x = match at.checked_sub(radius) {
                    Some(x) if x < width => x,
                    _ => mirror(at as isize - radius as isize, width),
                };
                *value = f32::from(pixels[3 * x + channel]);
            }
            for (k, weight) in self.weights.iter().enumerate() {
                add(plane, &wide[k..], *weight);
            }
        }
        out
    }
}

/// Adds `weight` times each number. (A multiplication and an addition, each rounded: results are the same everywhere.)
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add(out: &mut [f32], from: &[f32], weight: f32) {
    out.iter_mut()
        .zip(from)
        .for_each(|(out, from)| *out += weight * from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_however_many_are_asked_for() {
        let data = (0..17 * 13 * 3).map(|i: u32| (i * i / 7) as u8).collect();
        let image = Rgb8::new(17, 13, data).unwrap();
        let smooth = Smooth::new(&image, 0.8);
        let all = smooth.rows(0, 13);
        for y in 0..13 {
            assert_eq!(smooth.rows(y, y + 1), all[y * 51..][..51], "{y}");
        }
        assert_eq!(
            Smooth::new(&image, 0.0).rows(2, 3)[..17],
            all_red(&image, 2)
        );
    }

    fn all_red(image: &Rgb8, y: usize) -> Vec<f32> {
        (0..17)
            .map(|x| f32::from(image.data[3 * (y * 17 + x)]))
            .collect()
    }

    #[test]
    fn flat_images_stay_flat() {
        let flat = Rgb8::new(3, 2, vec![9; 18]).unwrap();
        assert!(
            Smooth::new(&flat, 2.0)
                .rows(0, 2)
                .iter()
                .all(|v| (v - 9.0).abs() < 1e-4)
        );
    }
}
