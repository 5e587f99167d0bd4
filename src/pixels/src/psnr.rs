//! The mean squared error of two images and its PSNR, summed in a fixed order whatever the threads do.
//! Unaware of colour: planes come ready from `luma`.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::luma::Plane;

/// Samples that one task sums; a part of the result's definition, down to the last bit.
const CHUNK: usize = 1 << 15;

/// PSNR in dB over all planes together, with a peak of 255; infinity where they are equal.
pub(crate) fn psnr_of(a: &[Plane], b: &[Plane]) -> f64 {
    let count: usize = a.iter().map(|plane| plane.data.len()).sum();
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| squared_error(&a.data, &b.data))
        .sum();
    if sum == 0.0 {
        f64::INFINITY
    } else {
        10.0 * (255.0 * 255.0 * count as f64 / sum).log10()
    }
}

/// The sum of squared differences of two equally long slices.
fn squared_error(a: &[f32], b: &[f32]) -> f64 {
    let chunks = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
    let sums: Vec<f64> = chunks.map(|(a, b)| chunk_error(a, b)).collect();
    sums.iter().sum()
}

/// The same of one chunk, in eight interleaved sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn chunk_error(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            let difference = f64::from(*a) - f64::from(*b);
            *sum += difference * difference;
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    sums.iter().sum::<f64>() + rest
}
