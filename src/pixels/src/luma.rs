//! Turns an 8-bit RGB image into the planes a metric compares: BT.601 luma in two protocols, or R, G and B.
//! Unaware of metrics; borders are shaved here, so that no later step sees them.

use rayon::prelude::*;

use crate::image::Rgb8;
use crate::metric::Channel;

/// Rows that one task converts.
const STRIP: usize = 32;

/// One channel, height × width, in the range of 8-bit samples.
pub(crate) struct Plane {
    pub width: usize,
    pub height: usize,
    pub data: Vec<f32>,
}

impl Plane {
    /// Row `y`.
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width..][..self.width]
    }
}

/// The planes of `image` that `channel` compares, without `shave` pixels on each side (the caller checked that
/// something is left).
pub(crate) fn planes(image: &Rgb8, shave: usize, channel: Channel) -> Vec<Plane> {
    match channel {
        Channel::YRounded => vec![plane(image, shave, |pixel| ROUNDED.rounded(pixel))],
        Channel::YUnrounded => vec![plane(image, shave, |pixel| UNROUNDED.unrounded(pixel))],
        Channel::Rgb => (0..3)
            .map(|c| plane(image, shave, |pixel| f32::from(pixel[c])))
            .collect(),
    }
}

/// One plane, `sample` of each pixel.
fn plane(image: &Rgb8, shave: usize, sample: impl Fn([u8; 3]) -> f32 + Sync) -> Plane {
    let (width, height) = (image.width - 2 * shave, image.height - 2 * shave);
    let mut data = vec![0.0; width * height];
    data.par_chunks_mut(width * STRIP)
        .enumerate()
        .for_each(|(strip, rows)| {
            for (y, out) in rows.chunks_exact_mut(width).enumerate() {
                let row = image.row(shave + strip * STRIP + y);
                let pixels = row[shave * 3..].as_chunks::<3>().0;
                out.iter_mut()
                    .zip(pixels)
                    .for_each(|(out, &pixel)| *out = sample(pixel));
            }
        });
    Plane {
        width,
        height,
        data,
    }
}

/// What each level of R, G and B adds to the luma of 16 to 235.
struct Table {
    red: [f64; 256],
    green: [f64; 256],
    blue: [f64; 256],
}

/// The levels in double precision, as skimage's `rgb2ycbcr` has them.
static ROUNDED: Table = Table::new(false);
/// The levels divided by 255 in single precision, as `BasicSR` has them.
static UNROUNDED: Table = Table::new(true);

impl Table {
    const fn new(single: bool) -> Self {
        Self {
            red: levels(65.481, single),
            green: levels(128.553, single),
            blue: levels(24.966, single),
        }
    }

    /// skimage's luma, clipped and rounded half to even as IMDN's test code does.
    #[inline]
    fn rounded(&self, [r, g, b]: [u8; 3]) -> f32 {
        let sum = self.red[usize::from(r)] + self.green[usize::from(g)] + self.blue[usize::from(b)];
        (sum + 16.0).round_ties_even() as f32
    }

    /// `BasicSR`'s luma: a double-precision sum over (B, G, R), stored as a single-precision fraction of 255.
    #[inline]
    fn unrounded(&self, [r, g, b]: [u8; 3]) -> f32 {
        let sum = self.blue[usize::from(b)] + self.green[usize::from(g)] + self.red[usize::from(r)];
        ((sum + 16.0) / 255.0) as f32 * 255.0
    }
}

/// `weight` times each level's fraction of 255.
const fn levels(weight: f64, single: bool) -> [f64; 256] {
    let mut levels = [0.0; 256];
    let mut level = 0;
    while level < 256 {
        let fraction = if single {
            (level as f32 / 255.0) as f64
        } else {
            level as f64 / 255.0
        };
        levels[level] = fraction * weight;
        level += 1;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_spans_16_to_235() {
        let image = Rgb8::new(2, 1, vec![0, 0, 0, 255, 255, 255]).unwrap();
        assert_eq!(planes(&image, 0, Channel::YRounded)[0].data, [16.0, 235.0]);
        let unrounded = &planes(&image, 0, Channel::YUnrounded)[0].data;
        assert!((unrounded[0] - 16.0).abs() < 1e-5 && (unrounded[1] - 235.0).abs() < 1e-4);
    }

    #[test]
    fn shaving_leaves_the_middle() {
        let image = Rgb8::new(5, 4, (0..60).collect()).unwrap();
        let green = &planes(&image, 1, Channel::Rgb)[1];
        assert_eq!((green.width, green.height), (3, 2));
        assert_eq!(green.data, [19.0, 22.0, 25.0, 34.0, 37.0, 40.0]);
    }

    /// Values of skimage 0.26's `rgb2ycbcr`, rounded by `NumPy`.
    #[test]
    fn rounded_luma_is_that_of_skimage() {
        let image = Rgb8::new(3, 1, vec![255, 0, 0, 0, 255, 0, 12, 200, 77]).unwrap();
        assert_eq!(
            planes(&image, 0, Channel::YRounded)[0].data,
            [81.0, 145.0, 127.0]
        );
    }
}
