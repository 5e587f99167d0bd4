//! Pillow's bilinear resize of 8-bit images with antialiasing, to the bit: SAM's preprocessing.
//! Unaware of why an image is resized; the arithmetic is that of Pillow's `Resample.c` for 8-bit channels.

use rayon::prelude::*;

use crate::image::Rgb8;

/// Bits after the point of the integer weights.
const FRACTION: u32 = 22;
const HALF: i32 = 1 << (FRACTION - 1);

/// `image` resized to `out_w`×`out_h` as `PIL.Image.resize((out_w, out_h), BILINEAR)` does: horizontally, then
/// vertically, each pass rounded to 8 bits. An empty image gives black.
pub fn pil_bilinear_u8(image: &Rgb8, out_w: usize, out_h: usize) -> Rgb8 {
    if image.data.is_empty() || out_w == 0 || out_h == 0 {
        return Rgb8 {
            width: out_w,
            height: out_h,
            data: vec![0; out_w * out_h * 3],
        };
    }
    let across = (out_w != image.width).then(|| horizontal(image, out_w));
    let image = across.as_ref().unwrap_or(image);
    if out_h == image.height {
        return image.clone();
    }
    vertical(image, out_h)
}

/// The width and height of a `width`×`height` image whose longer side is scaled to `target` (official SAM,
/// `transforms.py`, `get_preprocess_shape`: halves are rounded up); zeros for an empty image.
pub fn longest_side_size(width: usize, height: usize, target: usize) -> (usize, usize) {
    if width.max(height) == 0 {
        return (0, 0);
    }
    let scale = target as f64 / width.max(height) as f64;
    let scaled = |side: usize| (side as f64 * scale + 0.5) as usize;
    (scaled(width), scaled(height))
}

/// For one output position: its first input position and the weights from there on.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

/// The taps from `input` to `output` positions: a triangle, as wide as an output pixel where that is larger.
fn taps(input: usize, output: usize) -> Vec<Tap> {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    (0..output)
        .map(|x| tap((x as f64 + 0.5) * scale, stretch, input))
        .collect()
}

/// The tap around `center`, in input pixels; `stretch` is half the triangle's width.
fn tap(center: f64, stretch: f64, input: usize) -> Tap {
    let inverse = 1.0 / stretch;
    let first = (center - stretch + 0.5).max(0.0) as usize;
    let end = ((center + stretch + 0.5) as usize).min(input);
    let raw: Vec<f64> = (first..end)
        .map(|at| (1.0 - ((at as f64 - center + 0.5) * inverse).abs()).max(0.0))
        .collect();
    let sum: f64 = raw.iter().sum();
    let fixed = |weight: f64| (weight / sum * f64::from(1 << FRACTION) + 0.5) as i32;
    Tap {
        first,
        weights: raw.into_iter().map(fixed).collect(),
    }
}

fn horizontal(image: &Rgb8, out_w: usize) -> Rgb8 {
    let taps = taps(image.width, out_w);
    let mut data = vec![0; out_w * image.height * 3];
    let rows = data.par_chunks_mut(out_w * 3).enumerate();
    rows.for_each(|(y, out)| {
        let row = image.row(y).as_chunks::<3>().0;
        for (pixel, tap) in out.as_chunks_mut::<3>().0.iter_mut().zip(&taps) {
            let mut sums = [HALF; 3];
            for (sample, &weight) in row[tap.first..].iter().zip(&tap.weights) {
                (0..3).for_each(|c| sums[c] += i32::from(sample[c]) * weight);
            }
            *pixel = sums.map(rounded);
        }
    });
    Rgb8 {
        width: out_w,
        height: image.height,
        data,
    }
}

fn vertical(image: &Rgb8, out_h: usize) -> Rgb8 {
    let taps = taps(image.height, out_h);
    let mut data = vec![0; image.width * out_h * 3];
    let rows = data.par_chunks_mut(image.width * 3).zip(&taps);
    rows.for_each_init(Vec::new, |sums, (out, tap)| {
        sums.clear();
        sums.resize(out.len(), HALF);
        for (y, &weight) in (tap.first..).zip(&tap.weights) {
            for (sum, &sample) in sums.iter_mut().zip(image.row(y)) {
                *sum += i32::from(sample) * weight;
            }
        }
        for (sample, &sum) in out.iter_mut().zip(sums.iter()) {
            *sample = rounded(sum);
        }
    });
    Rgb8 {
        width: image.width,
        height: out_h,
        data,
    }
}

fn rounded(sum: i32) -> u8 {
    (sum >> FRACTION).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: usize, height: usize, values: &[u8]) -> Rgb8 {
        let data = values.iter().flat_map(|&v| [v, 255 - v, v]).collect();
        Rgb8::new(width, height, data).unwrap()
    }

    fn reds(image: &Rgb8) -> Vec<u8> {
        image.data.iter().step_by(3).copied().collect()
    }

    /// Pillow 13.0: `Image.fromarray(np.uint8([[0, 100, 255, 30, 7]])).resize((3, 1), Image.BILINEAR)` and the others.
    #[test]
    fn rows_are_those_of_pillow() {
        let row = gray(5, 1, &[0, 100, 255, 30, 7]);
        assert_eq!(reds(&pil_bilinear_u8(&row, 3, 1)), PILLOW_DOWN);
        assert_eq!(reds(&pil_bilinear_u8(&row, 8, 1)), PILLOW_UP);
        let column = gray(1, 5, &[0, 100, 255, 30, 7]);
        assert_eq!(reds(&pil_bilinear_u8(&column, 1, 3)), PILLOW_DOWN);
    }
    const PILLOW_DOWN: [u8; 3] = [43, 171, 17];
    const PILLOW_UP: [u8; 8] = [0, 44, 110, 207, 185, 44, 17, 7];

    #[test]
    fn the_same_size_is_the_same_image() {
        let image = gray(4, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(pil_bilinear_u8(&image, 4, 3), image);
    }

    #[test]
    fn a_constant_stays_constant() {
        let image = gray(7, 5, &[201; 35]);
        for (w, h) in [(1, 1), (3, 9), (20, 2), (64, 64)] {
            assert!(
                reds(&pil_bilinear_u8(&image, w, h))
                    .iter()
                    .all(|&v| v == 201)
            );
        }
    }

    #[test]
    fn nothing_gives_black_or_nothing() {
        let empty = Rgb8::new(0, 3, vec![]).unwrap();
        assert_eq!(pil_bilinear_u8(&empty, 2, 2).data, [0; 12]);
        assert!(pil_bilinear_u8(&gray(1, 1, &[9]), 0, 4).data.is_empty());
    }

    #[test]
    fn the_longer_side_reaches_the_target() {
        assert_eq!(longest_side_size(200, 160, 256), (256, 205));
        assert_eq!(longest_side_size(61, 90, 256), (174, 256));
        assert_eq!(longest_side_size(190, 281, 256), (173, 256));
        assert_eq!(longest_side_size(0, 0, 256), (0, 0));
        assert_eq!(longest_side_size(5000, 1, 1024), (1024, 0));
    }
}
