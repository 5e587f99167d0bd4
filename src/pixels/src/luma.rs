//! Turns parts of 8-bit RGB images into the samples a metric compares: BT.601 luma in two protocols, or R, G, B.
//! Unaware of metrics; borders are shaved here, so that no later step sees them.

use multiversion::multiversion;

use crate::channel::Channel;
use crate::image::Rgb8;

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
///
/// 194 colours lie exactly between two levels, and the last bit of the sum decides. So it is computed as NumPy's matrix
/// product does: levels times 1/255, then fused multiply-adds in the order R, G, B; equal for all 194 (a test has them).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn fill_rounded(pixels: &[[u8; 3]], out: &mut [f32]) {
    for (&[r, g, b], out) in pixels.iter().zip(out) {
        let fraction = |level: u8| f64::from(level) * (1.0 / 255.0);
        let sum = fraction(r) * RED;
        let sum = fraction(g).mul_add(GREEN, sum);
        let sum = fraction(b).mul_add(BLUE, sum);
        *out = (sum + 16.0).round_ties_even() as f32;
    }
}

/// BT.601's weights for a luma of 16 to 235.
const RED: f64 = 65.481;
const GREEN: f64 = 128.553;
const BLUE: f64 = 24.966;

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

/// The levels divided by 255 in single precision, as `BasicSR` has them.
static UNROUNDED: Table = Table::new();

impl Table {
    const fn new() -> Self {
        Self {
            red: levels(RED),
            green: levels(GREEN),
            blue: levels(BLUE),
        }
    }
}

/// `weight` times each level's fraction of 255, which is rounded to single precision.
const fn levels(weight: f64) -> [f64; 256] {
    let mut levels = [0.0; 256];
    let mut level = 0;
    while level < 256 {
        levels[level] = (level as f32 / 255.0) as f64 * weight;
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

    /// Colours whose luma lies exactly between two levels, with what skimage 0.26 and `NumPy` 2.4 make of them on a
    /// processor with fused multiply-add.
    #[test]
    fn ties_of_the_rounded_luma_fall_as_in_numpy() {
        for (colour, luma) in TIES {
            let image = Rgb8::new(1, 1, colour.to_vec()).unwrap();
            assert_eq!(
                samples(&image, 0, Channel::YRounded, 0),
                [luma],
                "{colour:?}"
            );
        }
    }

    #[rustfmt::skip]
    const TIES: [([u8; 3], f32); 194] = [
        ([0, 204, 68], 126.0), ([1, 173, 225], 126.0), ([2, 44, 141], 52.0), ([4, 194, 109], 126.0),
        ([5, 65, 25], 52.0), ([6, 34, 182], 52.0), ([8, 184, 150], 126.0), ([9, 55, 66], 52.0),
        ([10, 24, 223], 52.0), ([11, 205, 34], 126.0), ([12, 174, 191], 126.0), ([13, 45, 107], 52.0),
        ([15, 195, 75], 125.0), ([16, 164, 232], 125.0), ([17, 35, 148], 52.0), ([19, 185, 116], 126.0),
        ([20, 56, 32], 52.0), ([21, 25, 189], 52.0), ([22, 206, 0], 126.0), ([23, 175, 157], 126.0),
        ([24, 46, 73], 52.0), ([25, 15, 230], 52.0), ([26, 196, 41], 125.0), ([27, 165, 198], 126.0),
        ([28, 36, 114], 52.0), ([30, 186, 82], 125.0), ([31, 155, 239], 125.0), ([32, 26, 155], 52.0),
        ([34, 176, 123], 126.0), ([35, 47, 39], 52.0), ([36, 16, 196], 52.0), ([37, 197, 7], 126.0),
        ([38, 166, 164], 126.0), ([39, 37, 80], 52.0), ([40, 6, 237], 52.0), ([41, 187, 48], 125.0),
        ([42, 156, 205], 126.0), ([43, 27, 121], 52.0), ([45, 177, 89], 125.0), ([46, 48, 5], 52.0),
        ([46, 146, 246], 125.0), ([47, 17, 162], 52.0), ([49, 167, 130], 126.0), ([50, 38, 46], 52.0),
        ([51, 7, 203], 52.0), ([52, 188, 14], 126.0), ([53, 157, 171], 126.0), ([54, 28, 87], 52.0),
        ([56, 178, 55], 125.0), ([57, 147, 212], 125.0), ([58, 18, 128], 52.0), ([60, 168, 96], 125.0),
        ([61, 39, 12], 52.0), ([61, 137, 253], 125.0), ([62, 8, 169], 52.0), ([64, 158, 137], 126.0),
        ([65, 29, 53], 52.0), ([67, 179, 21], 125.0), ([68, 148, 178], 125.0), ([69, 19, 94], 52.0),
        ([71, 169, 62], 125.0), ([72, 138, 219], 125.0), ([73, 9, 135], 52.0), ([75, 159, 103], 125.0),
        ([76, 30, 19], 52.0), ([79, 149, 144], 126.0), ([80, 20, 60], 52.0), ([82, 170, 28], 125.0),
        ([83, 139, 185], 125.0), ([84, 10, 101], 52.0), ([86, 160, 69], 125.0), ([87, 129, 226], 125.0),
        ([88, 0, 142], 52.0), ([90, 150, 110], 126.0), ([91, 21, 26], 52.0), ([94, 140, 151], 126.0),
        ([95, 11, 67], 52.0), ([97, 161, 35], 126.0), ([98, 130, 192], 126.0), ([99, 1, 108], 52.0),
        ([101, 151, 76], 126.0), ([102, 120, 233], 126.0), ([105, 141, 117], 126.0), ([106, 12, 33], 52.0),
        ([108, 162, 1], 126.0), ([109, 131, 158], 126.0), ([110, 2, 74], 52.0), ([112, 152, 42], 126.0),
        ([113, 121, 199], 126.0), ([116, 142, 83], 126.0), ([117, 111, 240], 126.0), ([120, 132, 124], 125.0),
        ([121, 3, 40], 52.0), ([123, 153, 8], 126.0), ([123, 251, 249], 198.0), ([124, 122, 165], 126.0),
        ([127, 143, 49], 126.0), ([128, 112, 206], 126.0), ([131, 133, 90], 126.0), ([132, 4, 6], 52.0),
        ([132, 102, 247], 126.0), ([134, 252, 215], 198.0), ([135, 123, 131], 126.0), ([138, 144, 15], 126.0),
        ([139, 113, 172], 125.0), ([142, 134, 56], 126.0), ([143, 103, 213], 126.0), ([145, 253, 181], 198.0),
        ([146, 124, 97], 126.0), ([147, 93, 254], 125.0), ([149, 243, 222], 198.0), ([150, 114, 138], 126.0),
        ([153, 135, 22], 126.0), ([154, 104, 179], 126.0), ([156, 254, 147], 198.0), ([157, 125, 63], 126.0),
        ([158, 94, 220], 126.0), ([160, 244, 188], 198.0), ([161, 115, 104], 126.0), ([164, 234, 229], 198.0),
        ([165, 105, 145], 126.0), ([167, 255, 113], 198.0), ([168, 126, 29], 126.0), ([169, 95, 186], 126.0),
        ([171, 245, 154], 198.0), ([172, 116, 70], 126.0), ([173, 85, 227], 126.0), ([175, 235, 195], 198.0),
        ([176, 106, 111], 125.0), ([179, 225, 236], 198.0), ([180, 96, 152], 125.0), ([182, 246, 120], 198.0),
        ([183, 117, 36], 125.0), ([184, 86, 193], 126.0), ([186, 236, 161], 198.0), ([187, 107, 77], 125.0),
        ([188, 76, 234], 126.0), ([190, 226, 202], 198.0), ([191, 97, 118], 125.0), ([193, 247, 86], 198.0),
        ([194, 118, 2], 125.0), ([194, 216, 243], 198.0), ([195, 87, 159], 125.0), ([197, 237, 127], 198.0),
        ([198, 108, 43], 125.0), ([199, 77, 200], 125.0), ([201, 227, 168], 198.0), ([202, 98, 84], 125.0),
        ([203, 67, 241], 125.0), ([204, 248, 52], 198.0), ([205, 217, 209], 198.0), ([206, 88, 125], 125.0),
        ([208, 238, 93], 198.0), ([209, 109, 9], 125.0), ([209, 207, 250], 198.0), ([210, 78, 166], 125.0),
        ([212, 228, 134], 198.0), ([213, 99, 50], 126.0), ([214, 68, 207], 125.0), ([215, 249, 18], 198.0),
        ([216, 218, 175], 198.0), ([217, 89, 91], 125.0), ([218, 58, 248], 125.0), ([219, 239, 59], 198.0),
        ([220, 208, 216], 198.0), ([221, 79, 132], 126.0), ([223, 229, 100], 198.0), ([224, 100, 16], 125.0),
        ([225, 69, 173], 125.0), ([227, 219, 141], 198.0), ([228, 90, 57], 125.0), ([229, 59, 214], 126.0),
        ([230, 240, 25], 198.0), ([231, 209, 182], 198.0), ([232, 80, 98], 125.0), ([233, 49, 255], 126.0),
        ([234, 230, 66], 198.0), ([235, 199, 223], 198.0), ([236, 70, 139], 125.0), ([238, 220, 107], 198.0),
        ([239, 91, 23], 125.0), ([240, 60, 180], 125.0), ([242, 210, 148], 198.0), ([243, 81, 64], 126.0),
        ([244, 50, 221], 126.0), ([245, 231, 32], 198.0), ([246, 200, 189], 198.0), ([247, 71, 105], 126.0),
        ([249, 221, 73], 198.0), ([250, 190, 230], 198.0), ([251, 61, 146], 126.0), ([253, 211, 114], 198.0),
        ([254, 82, 30], 126.0), ([255, 51, 187], 126.0),
    ];

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
