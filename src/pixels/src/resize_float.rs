//! `BasicSR`'s floating-point bicubic resize: single precision, rows first, neither rounded nor clamped.
//! Unaware of 8-bit images; it exists for comparison with codes that use it (see `resize` for MATLAB's).

use crate::error::{PixelError, Result};
use crate::taps::Taps;

/// Three channels of floats, 3 × height × width.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatImage {
    /// Pixels a row.
    pub width: usize,
    /// Rows a channel.
    pub height: usize,
    /// Samples, 3 × height × width.
    pub data: Vec<f32>,
}

/// `imresize` of `BasicSR`: `chw` is 3 × `height` × `width`, any range (usually [0, 1]); `scale` is output per
/// input (0.25 for a quarter), sides are rounded up, and downscaling is antialiased.
/// Errors: [`PixelError::Buffer`] where the length does not fit, or a side or the scale is not positive.
pub fn basicsr_bicubic_f32(
    chw: &[f32],
    width: usize,
    height: usize,
    scale: f64,
) -> Result<FloatImage> {
    crate::image::check_length((width, height), chw.len())?;
    if chw.is_empty() || !scale.is_finite() || scale <= 0.0 {
        return Err(PixelError::Buffer {
            size: (width, height),
            expected: 1,
            found: chw.len(),
        });
    }
    let out = |side: usize| (side as f64 * scale).ceil() as usize;
    let (down, across) = (
        Taps::new(height, out(height), scale),
        Taps::new(width, out(width), scale),
    );
    let mut image = FloatImage {
        width: out(width),
        height: out(height),
        data: vec![],
    };
    for plane in chw.chunks_exact(width * height) {
        let rows = blend_rows(plane, width, height, &down);
        rows.chunks_exact(width)
            .for_each(|row| blend_row(row, &across, &mut image.data));
    }
    Ok(image)
}

/// The vertical pass over one channel.
fn blend_rows(plane: &[f32], width: usize, height: usize, taps: &Taps) -> Vec<f32> {
    let mut out = vec![0.0; width * taps.first.len()];
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        for (source, &weight) in taps.sources(y, height).zip(taps.weights_of(y)) {
            let row = &plane[source * width..][..width];
            out.iter_mut()
                .zip(row)
                .for_each(|(sum, sample)| *sum += weight as f32 * sample);
        }
    }
    out
}

/// The horizontal pass over one row.
fn blend_row(row: &[f32], taps: &Taps, out: &mut Vec<f32>) {
    out.extend((0..taps.first.len()).map(|x| {
        let pairs = taps.sources(x, row.len()).zip(taps.weights_of(x));
        pairs.fold(0.0, |sum, (source, &weight)| {
            sum + weight as f32 * row[source]
        })
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_stay_and_bad_input_is_refused() {
        let image = basicsr_bicubic_f32(&[0.25; 3 * 9 * 7], 9, 7, 1.0 / 3.0).unwrap();
        assert_eq!((image.width, image.height, image.data.len()), (3, 3, 27));
        assert!(image.data.iter().all(|v| (v - 0.25).abs() < 1e-6));
        assert!(basicsr_bicubic_f32(&[0.0; 5], 1, 2, 0.5).is_err());
        assert!(basicsr_bicubic_f32(&[0.0; 6], 1, 2, f64::NAN).is_err());
        assert!(basicsr_bicubic_f32(&[], 0, 0, 0.5).is_err());
    }
}
