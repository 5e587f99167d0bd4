//! The squared error of a tile, and what a mean squared error is in dB.
//! Unaware of colour and of how images are cut into tiles.

use multiversion::multiversion;

use crate::tile::STRIDE;

/// PSNR in dB with a peak of 255; infinity where there is no error.
pub(crate) fn decibels(mean_squared_error: f64) -> f64 {
    if mean_squared_error == 0.0 {
        f64::INFINITY
    } else {
        10.0 * (255.0 * 255.0 / mean_squared_error).log10()
    }
}

/// The sum of squared differences over the first `width` samples of each row, in eight interleaved sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn squared_error(a: &[[f32; STRIDE]], b: &[[f32; STRIDE]], width: usize) -> f64 {
    let mut sums = [0.0; 8];
    let mut rest = 0.0;
    for (a, b) in a.iter().zip(b) {
        let ((a, a_rest), (b, b_rest)) = (a[..width].as_chunks::<8>(), b[..width].as_chunks::<8>());
        for (a, b) in a.iter().zip(b) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let difference = f64::from(a[i]) - f64::from(b[i]);
                *sum += difference * difference;
            }
        }
        for (a, b) in a_rest.iter().zip(b_rest) {
            let difference = f64::from(*a) - f64::from(*b);
            rest += difference * difference;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_width_counts() {
        let (a, mut b) = (vec![[3.0; STRIDE]; 2], vec![[5.0; STRIDE]; 2]);
        b[1][10] = 4.0;
        let error = squared_error(&a, &b, 11);
        assert!((error - (21.0 * 4.0 + 1.0)).abs() < 1e-12);
        assert!((decibels(1.0) - 48.130_803_608_679_1).abs() < 1e-9);
    }
}
