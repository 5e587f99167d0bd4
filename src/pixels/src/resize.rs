//! MATLAB's bicubic `imresize` of 8-bit images, to the bit: two passes, each rounded half up to 8 bits.
//! Unaware of why an image is resized; the weights come from `taps`.

#![expect(
    clippy::inline_always,
    reason = "helpers must be compiled with the caller's vector instructions"
)]

use multiversion::multiversion;
use rayon::prelude::*;

use crate::image::Rgb8;
use crate::taps::{FRACTION, SET, Taps, mirror};

/// Samples that a vertical pass keeps in registers at once.
const LANES: usize = 64;
const HALF: i32 = 1 << (FRACTION - 1);
const MASK: i32 = (1 << FRACTION) - 1;

/// `image` scaled down by `scale` (2, 3, 4, …; 0 counts as 1) with antialiasing, as MATLAB's
/// `imresize(image, 1/scale)` does on uint8: sides are rounded up. Gives the published low-resolution images
/// of Set5 bit for bit.
pub fn matlab_bicubic_u8(image: &Rgb8, scale: usize) -> Rgb8 {
    let scale = scale.max(1);
    let (width, height) = (image.width.div_ceil(scale), image.height.div_ceil(scale));
    resize(
        image,
        (width, height),
        (1.0 / scale as f64, 1.0 / scale as f64),
    )
}

/// `image` resized to `out_w`×`out_h`, up or down, as MATLAB's `imresize(image, [out_h out_w])` does on uint8:
/// the side with the smaller scale first, the vertical one where they are equal. An empty image gives black.
pub fn matlab_bicubic_u8_to(image: &Rgb8, out_w: usize, out_h: usize) -> Rgb8 {
    let scale = |out: usize, side: usize| out as f64 / side as f64;
    resize(
        image,
        (out_w, out_h),
        (scale(out_w, image.width), scale(out_h, image.height)),
    )
}

/// Both passes, in MATLAB's order.
fn resize(image: &Rgb8, to: (usize, usize), scale: (f64, f64)) -> Rgb8 {
    if image.data.is_empty() || to.0 == 0 || to.1 == 0 {
        return Rgb8 {
            width: to.0,
            height: to.1,
            data: vec![0; to.0 * to.1 * 3],
        };
    }
    let across = Taps::new(image.width, to.0, scale.0);
    let down = Taps::new(image.height, to.1, scale.1);
    if scale.1 <= scale.0 {
        horizontal(&vertical(image, &down), &across)
    } else {
        vertical(&horizontal(image, &across), &down)
    }
}

/// The vertical pass: each output row is a weighted sum of input rows.
fn vertical(image: &Rgb8, taps: &Taps) -> Rgb8 {
    let (width, height) = (image.width, taps.first.len());
    let mut data = vec![0; width * height * 3];
    data.par_chunks_mut(width * 3)
        .enumerate()
        .for_each(|(y, out)| {
            let rows: Vec<&[u8]> = taps
                .sources(y, image.height)
                .map(|source| image.row(source))
                .collect();
            blend_rows(
                &rows,
                taps.fixed_of(y).as_flattened(),
                taps.weights_of(y),
                taps.slack[y],
                out,
            );
        });
    Rgb8 {
        width,
        height,
        data,
    }
}

/// One output row of the vertical pass. `rows`, `fixed` and `exact` have one entry a tap.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blend_rows(rows: &[&[u8]], fixed: &[i32], exact: &[f64], slack: i32, out: &mut [u8]) {
    let mut at = 0;
    while at < out.len() {
        let mut sums = [HALF; LANES];
        let kept = LANES.min(out.len() - at);
        for (row, &weight) in rows.iter().zip(fixed) {
            add_weighted(&mut sums, &row[at..at + kept], weight);
        }
        let near_tie = slack > 0 && sums.iter().any(|&sum| is_near_tie(sum, slack));
        for (sample, &sum) in out[at..at + kept].iter_mut().zip(&sums) {
            *sample = (sum >> FRACTION).clamp(0, 255) as u8;
        }
        if near_tie {
            for lane in (0..kept).filter(|&lane| is_near_tie(sums[lane], slack)) {
                out[at + lane] = exactly(exact, rows.iter().map(|row| row[at + lane]));
            }
        }
        at += kept;
    }
}

/// `sums += samples * weight`, in registers where a full set of lanes is given.
#[inline(always)]
fn add_weighted(sums: &mut [i32; LANES], samples: &[u8], weight: i32) {
    if let Some(samples) = samples.first_chunk::<LANES>() {
        for (sum, &sample) in sums.iter_mut().zip(samples) {
            *sum += i32::from(sample) * weight;
        }
    } else {
        for (sum, &sample) in sums.iter_mut().zip(samples) {
            *sum += i32::from(sample) * weight;
        }
    }
}

/// Whether a sum (with one half added) is so near to a whole number that its integer weights may have moved
/// it to the wrong side.
#[inline(always)]
fn is_near_tie(sum: i32, slack: i32) -> bool {
    (sum + slack) & MASK <= 2 * slack
}

/// The reference: a sum in double precision, in the order of the taps, rounded half up.
fn exactly(weights: &[f64], samples: impl Iterator<Item = u8>) -> u8 {
    let sum = weights
        .iter()
        .zip(samples)
        .fold(0.0, |sum, (weight, sample)| {
            sum + weight * f64::from(sample)
        });
    (sum + 0.5).floor() as u8
}

/// The horizontal pass: each output pixel is a weighted sum of pixels of its row.
fn horizontal(image: &Rgb8, taps: &Taps) -> Rgb8 {
    let (width, height) = (taps.first.len(), image.height);
    let before = taps.first.iter().min().map_or(0, |&first| (-first).max(0));
    let last = taps.first.iter().max().map_or(0, |&first| first);
    let after = (last + taps.count.next_multiple_of(SET) as isize).max(image.width as isize);
    let mut data = vec![0; width * height * 3];
    data.par_chunks_mut(width * 3).enumerate().for_each_init(
        Default::default,
        |planes: &mut [Vec<i32>; 3], (y, out)| {
            let row = image.row(y).as_chunks::<3>().0;
            for (c, plane) in planes.iter_mut().enumerate() {
                let outside = |at: isize| i32::from(row[mirror(at, row.len())][c]);
                plane.clear();
                plane.extend((-before..0).map(outside));
                plane.extend(row.iter().map(|pixel| i32::from(pixel[c])));
                plane.extend((row.len() as isize..after).map(outside));
                blend_plane(plane, taps, before, &mut out[c..]);
            }
        },
    );
    Rgb8 {
        width,
        height,
        data,
    }
}

/// One channel of an output row of the horizontal pass, every third sample of `out`. `plane` is the mirrored
/// channel of the row, `before` samples longer on the left.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn blend_plane(plane: &[i32], taps: &Taps, before: isize, out: &mut [u8]) {
    for (x, out) in out.iter_mut().step_by(3).enumerate() {
        let window = &plane[(taps.first[x] + before) as usize..];
        let sum = HALF + dot(window, taps.fixed_of(x));
        *out = if taps.slack[x] > 0 && is_near_tie(sum, taps.slack[x]) {
            exactly(
                taps.weights_of(x),
                window.iter().map(|&sample| sample as u8),
            )
        } else {
            (sum >> FRACTION).clamp(0, 255) as u8
        };
    }
}

/// The sum of products, a set of lanes at a time.
#[inline(always)]
fn dot(samples: &[i32], weights: &[[i32; SET]]) -> i32 {
    let mut sums = [0; SET];
    for (samples, weights) in samples.as_chunks::<SET>().0.iter().zip(weights) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += samples[i] * weights[i];
        }
    }
    sums.iter().sum()
}
