//! Turns parts of 8-bit RGB images into the samples a metric compares: BT.601 luma in two protocols, or R, G, B.
//! Unaware of metrics; borders are shaved here, so that no later step sees them.

use multiversion::multiversion;

use crate::image::Rgb8;
use crate::metric::Channel;

/// Pixels that are converted at once.
const CHUNK: usize = 64;

/// One channel of an image without its border, in the range of 8-bit samples; converted part by part.
pub(crate) struct View<'a> {
    image: &'a Rgb8,
    shave: usize,
    samples: Samples,
}

/// What a sample of a view is.
#[derive(Clone, Copy)]
enum Samples {
    RoundedLuma,
    UnroundedLuma,
    Channel(usize),
}

/// The views of `image` that `channel` compares, without `shave` pixels on each side (the caller checked that
/// something is left).
pub(crate) fn views(image: &Rgb8, shave: usize, channel: Channel) -> Vec<View<'_>> {
    let samples = match channel {
        Channel::YRounded => vec![Samples::RoundedLuma],
        Channel::YUnrounded => vec![Samples::UnroundedLuma],
        Channel::Rgb => (0..3).map(Samples::Channel).collect(),
    };
    samples
        .into_iter()
        .map(|samples| View {
            image,
            shave,
            samples,
        })
        .collect()
}

impl View<'_> {
    /// Width and height without the border.
    pub(crate) fn size(&self) -> (usize, usize) {
        (
            self.image.width - 2 * self.shave,
            self.image.height - 2 * self.shave,
        )
    }

    /// Converts the samples of row `y` from column `x` on, as many as `out` holds.
    pub(crate) fn fill(&self, x: usize, y: usize, out: &mut [f32]) {
        let row = &self.image.row(self.shave + y)[(self.shave + x) * 3..];
        let pixels = &row.as_chunks::<3>().0[..out.len()];
        match self.samples {
            Samples::RoundedLuma => fill_rounded(pixels, out),
            Samples::UnroundedLuma => fill_unrounded(pixels, out),
            Samples::Channel(c) => fill_channel(pixels, c, out),
        }
    }
}

fn fill_channel(pixels: &[[u8; 3]], c: usize, out: &mut [f32]) {
    for (out, pixel) in out.iter_mut().zip(pixels) {
        *out = f32::from(pixel[c]);
    }
}

/// skimage's luma, clipped and rounded half to even as IMDN's test code does.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_rounded(pixels: &[[u8; 3]], out: &mut [f32]) {
    let mut sums = [0.0; CHUNK];
    for (pixels, out) in pixels.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        for (sum, &[r, g, b]) in sums.iter_mut().zip(pixels) {
            *sum = ROUNDED.red[usize::from(r)]
                + ROUNDED.green[usize::from(g)]
                + ROUNDED.blue[usize::from(b)];
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = (sum + 16.0).round_ties_even() as f32;
        }
    }
}

/// `BasicSR`'s luma: a double-precision sum over (B, G, R), stored as a single-precision fraction of 255. The
/// product with 1/255 gives what the quotient gives for all 2^24 colours (a test goes through them).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_unrounded(pixels: &[[u8; 3]], out: &mut [f32]) {
    let mut sums = [0.0; CHUNK];
    for (pixels, out) in pixels.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        for (sum, &[r, g, b]) in sums.iter_mut().zip(pixels) {
            *sum = UNROUNDED.blue[usize::from(b)]
                + UNROUNDED.green[usize::from(g)]
                + UNROUNDED.red[usize::from(r)];
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = ((sum + 16.0) * (1.0 / 255.0)) as f32 * 255.0;
        }
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

    fn samples(image: &Rgb8, shave: usize, channel: Channel, c: usize) -> Vec<f32> {
        let view = &views(image, shave, channel)[c];
        let (width, height) = view.size();
        let mut data = vec![0.0; width * height];
        data.chunks_mut(width)
            .enumerate()
            .for_each(|(y, out)| view.fill(0, y, out));
        data
    }

    #[test]
    fn luma_spans_16_to_235() {
        let image = Rgb8::new(2, 1, vec![0, 0, 0, 255, 255, 255]).unwrap();
        assert_eq!(samples(&image, 0, Channel::YRounded, 0), [16.0, 235.0]);
        let unrounded = samples(&image, 0, Channel::YUnrounded, 0);
        assert!((unrounded[0] - 16.0).abs() < 1e-5 && (unrounded[1] - 235.0).abs() < 1e-4);
    }

    #[test]
    fn shaving_leaves_the_middle() {
        let image = Rgb8::new(5, 4, (0..60).collect()).unwrap();
        assert_eq!(
            samples(&image, 1, Channel::Rgb, 1),
            [19.0, 22.0, 25.0, 34.0, 37.0, 40.0]
        );
    }

    /// Values of skimage 0.26's `rgb2ycbcr`, rounded by `NumPy`.
    #[test]
    fn rounded_luma_is_that_of_skimage() {
        let image = Rgb8::new(3, 1, vec![255, 0, 0, 0, 255, 0, 12, 200, 77]).unwrap();
        assert_eq!(
            samples(&image, 0, Channel::YRounded, 0),
            [81.0, 145.0, 127.0]
        );
    }

    /// `BasicSR`'s arithmetic, spelled out, for every colour.
    #[test]
    fn unrounded_luma_is_exact_for_every_colour() {
        let fraction = |v: u8| f64::from(f32::from(v) / 255.0);
        for r in 0..=255 {
            let pixels: Vec<[u8; 3]> = (0..1 << 16)
                .map(|i: u32| [r, (i >> 8) as u8, i as u8])
                .collect();
            let mut found = vec![0.0; pixels.len()];
            fill_unrounded(&pixels, &mut found);
            for ([r, g, b], found) in pixels.into_iter().zip(found) {
                let sum =
                    fraction(b) * 24.966 + fraction(g) * 128.553 + fraction(r) * 65.481 + 16.0;
                let expected = (sum / 255.0) as f32 * 255.0;
                assert!(
                    expected.to_bits() == found.to_bits(),
                    "{r} {g} {b}: {found}, not {expected}"
                );
            }
        }
    }
}
