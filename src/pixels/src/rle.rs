//! A binary mask as COCO's run lengths: conversion, area, box, overlap and windows, without decoding it whole.
//! Unaware of files (see `stack` and `mask_files`) and of what a mask shows.

use crate::error::{PixelError, Result};

/// A binary mask of `width`×`height` pixels as run lengths, column by column from the top left, zeros first.
///
/// Always valid: the runs sum to `width * height`, and only the first may be 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rle {
    width: usize,
    height: usize,
    counts: Vec<u32>,
}

impl Rle {
    /// A mask of COCO's uncompressed counts; runs of length 0 in the middle are merged away.
    /// Errors: [`PixelError::Runs`] where the runs do not sum to `width * height`.
    pub fn new(width: usize, height: usize, counts: &[u32]) -> Result<Self> {
        let sum: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let pixels = check_size(width, height)?;
        if sum != pixels {
            return Err(runs(
                (width, height),
                format!("they sum to {sum}, not to {pixels}"),
            ));
        }
        let mut builder = Builder::default();
        let mut at = 0;
        for (i, &count) in counts.iter().enumerate() {
            if i % 2 == 1 && count > 0 {
                builder.add(at, at + u64::from(count));
            }
            at += u64::from(count);
        }
        Ok(builder.finish(width, height))
    }

    /// A mask of a row-major bitmap, height × width, non-zero inside.
    /// Errors: [`PixelError::Runs`] where the length does not fit.
    pub fn from_bitmap(bits: &[u8], width: usize, height: usize) -> Result<Self> {
        if check_size(width, height)? != bits.len() as u64 {
            return Err(runs(
                (width, height),
                format!("the bitmap has {} pixels", bits.len()),
            ));
        }
        let mut builder = Builder::default();
        for x in 0..width {
            for y in (0..height).filter(|y| bits[y * width + x] != 0) {
                let at = (x * height + y) as u64;
                builder.add(at, at + 1);
            }
        }
        Ok(builder.finish(width, height))
    }

    /// The mask of intervals `[start, end)` of column-major positions, ascending and inside (not checked).
    pub(crate) fn from_intervals(
        width: usize,
        height: usize,
        ones: impl Iterator<Item = (u64, u64)>,
    ) -> Self {
        let mut builder = Builder::default();
        ones.for_each(|(start, end)| builder.add(start, end));
        builder.finish(width, height)
    }

    /// Pixels a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// COCO's uncompressed counts.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The intervals `[start, end)` of column-major positions inside the mask, ascending, never touching.
    pub(crate) fn ones(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.chunks_exact(2).scan(0, |at, pair| {
            let start = *at + u64::from(pair[0]);
            *at = start + u64::from(pair[1]);
            Some((start, *at))
        })
    }

    /// The mask as a row-major bitmap, height × width, 0 or 1.
    pub fn to_bitmap(&self) -> Vec<u8> {
        let mut bits = vec![0; self.width * self.height];
        self.fill((0, 0, self.width, self.height), &mut bits);
        bits
    }

    /// The mask with each pixel as a square of `factor`×`factor`.
    /// Errors: [`PixelError::Runs`] where that is too large.
    pub fn enlarged(&self, factor: usize) -> Result<Self> {
        let too_large = || {
            runs(
                (self.width, self.height),
                format!("{factor} times that is too large"),
            )
        };
        let side = |length: usize| length.checked_mul(factor).ok_or_else(too_large);
        let (width, height) = (side(self.width)?, side(self.height)?);
        check_size(width, height)?;
        let mut builder = Builder::default();
        let mut column = vec![0; self.height];
        for x in 0..self.width {
            self.crop_into(x, 0, 1, self.height, &mut column)?;
            for copy in 0..factor {
                let top = (x * factor + copy) * height;
                for y in (0..self.height).filter(|y| column[*y] != 0) {
                    let at = (top + y * factor) as u64;
                    builder.add(at, at + factor as u64);
                }
            }
        }
        Ok(builder.finish(width, height))
    }

    /// Decodes only the window of `w`×`h` pixels at (`x`, `y`) into `out`, row-major, h × w, 0 or 1.
    /// Errors: [`PixelError::Crop`], [`PixelError::Runs`] where `out` has another length.
    pub fn crop_into(&self, x: usize, y: usize, w: usize, h: usize, out: &mut [u8]) -> Result<()> {
        let inside = |at: usize, length: usize, side: usize| {
            at.checked_add(length).is_some_and(|end| end <= side)
        };
        if !inside(x, w, self.width) || !inside(y, h, self.height) {
            return Err(PixelError::Crop {
                at: (x, y),
                crop: (w, h),
                size: (self.width, self.height),
            });
        }
        if out.len() != w * h {
            return Err(runs(
                (w, h),
                format!("the window to fill has {} pixels", out.len()),
            ));
        }
        out.fill(0);
        self.fill((x, y, w, h), out);
        Ok(())
    }

    /// Sets the mask's pixels in a window that is inside and zero.
    fn fill(&self, (x, y, w, h): (usize, usize, usize, usize), out: &mut [u8]) {
        if out.is_empty() {
            return;
        }
        let (from, to) = ((x * self.height) as u64, ((x + w) * self.height) as u64);
        let seen = self
            .ones()
            .skip_while(|&(_, end)| end <= from)
            .take_while(|&(start, _)| start < to);
        for (start, end) in seen {
            for (column, top, bottom) in columns((start.max(from), end.min(to)), self.height) {
                let (top, bottom) = (top.max(y), bottom.min(y + h));
                let cells = out[column - x..].iter_mut().step_by(w);
                cells
                    .skip(top - y)
                    .take(bottom.saturating_sub(top))
                    .for_each(|cell| *cell = 1);
            }
        }
    }

    /// The mask on a larger canvas of `width`×`height`, its top left pixel at (`x`, `y`), zeros around it.
    /// Errors: [`PixelError::Crop`] where it does not fit.
    pub fn placed(&self, x: usize, y: usize, width: usize, height: usize) -> Result<Self> {
        let fits = |at: usize, length: usize, side: usize| {
            at.checked_add(length).is_some_and(|end| end <= side)
        };
        if !fits(x, self.width, width) || !fits(y, self.height, height) {
            return Err(PixelError::Crop {
                at: (x, y),
                crop: (self.width, self.height),
                size: (width, height),
            });
        }
        check_size(width, height)?;
        let spans = self.ones().flat_map(|ones| columns(ones, self.height));
        let moved = spans.map(|(column, top, bottom)| {
            let at = (x + column) * height + y;
            ((at + top) as u64, (at + bottom) as u64)
        });
        Ok(Self::from_intervals(width, height, moved))
    }

    /// The number of pixels inside.
    pub fn area(&self) -> u64 {
        self.counts
            .iter()
            .skip(1)
            .step_by(2)
            .map(|&count| u64::from(count))
            .sum()
    }

    /// Whether no pixel is inside.
    pub fn is_empty(&self) -> bool {
        self.counts.len() < 2
    }

    /// The bounding box as left, top, right, bottom, all inclusive; zeros for an empty mask, as SAM has it.
    pub fn bbox(&self) -> [usize; 4] {
        let spans = self.ones().flat_map(|ones| columns(ones, self.height));
        let grow = |b: Option<[usize; 4]>, (x, top, bottom): (usize, usize, usize)| {
            let b = b.unwrap_or([x, top, x, bottom - 1]);
            Some([
                b[0].min(x),
                b[1].min(top),
                b[2].max(x),
                b[3].max(bottom - 1),
            ])
        };
        spans.fold(None, grow).unwrap_or_default()
    }

    /// The number of pixels inside both masks, from the runs alone; 0 for masks of different sizes.
    pub fn intersection(&self, other: &Self) -> u64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 0;
        }
        let (mut ours, mut theirs) = (self.ones(), other.ones());
        let (mut a, mut b, mut shared) = (ours.next(), theirs.next(), 0);
        while let (Some(one), Some(two)) = (a, b) {
            shared += one.1.min(two.1).saturating_sub(one.0.max(two.0));
            if one.1 <= two.1 {
                a = ours.next();
            } else {
                b = theirs.next();
            }
        }
        shared
    }

    /// Intersection over union, 0 to 1; 0 for two empty masks and for masks of different sizes.
    pub fn iou(&self, other: &Self) -> f64 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union == 0 {
            0.0
        } else {
            shared as f64 / union as f64
        }
    }

    /// COCO's compressed counts: each count less the one two before it (from the fourth on), in groups of five
    /// bits, lowest first, bit 5 for "more follows", as characters from `0`.
    pub fn to_coco_string(&self) -> String {
        let mut text = String::new();
        for (i, &count) in self.counts.iter().enumerate() {
            let before = if i > 2 { self.counts[i - 2] } else { 0 };
            let mut rest = i64::from(count) - i64::from(before);
            loop {
                let group = (rest & 31) as u8;
                rest >>= 5;
                let last = rest == if group & 16 == 0 { 0 } else { -1 };
                text.push(char::from(48 + group + if last { 0 } else { 32 }));
                if last {
                    break;
                }
            }
        }
        text
    }

    /// The mask of COCO's compressed counts. Errors: [`PixelError::Runs`].
    pub fn from_coco_string(width: usize, height: usize, text: &str) -> Result<Self> {
        let wrong = |reason: &str| runs((width, height), reason.to_owned());
        let mut counts: Vec<u32> = Vec::new();
        let (mut value, mut shift) = (0_i64, 0);
        for byte in text.bytes() {
            let group = byte.checked_sub(48).filter(|&group| group < 64);
            let group =
                i64::from(group.ok_or_else(|| wrong("a character is not from `0` to `o`"))?);
            value |= (group & 31) << shift;
            shift += 5;
            if group & 32 != 0 {
                if shift > 40 {
                    return Err(wrong("a run is too long"));
                }
                continue;
            }
            if group & 16 != 0 {
                value |= -1 << shift;
            }
            let before = if counts.len() > 2 {
                i64::from(counts[counts.len() - 2])
            } else {
                0
            };
            let count = u32::try_from(value + before)
                .map_err(|_| wrong("a run is negative or too long"))?;
            counts.push(count);
            (value, shift) = (0, 0);
        }
        if shift != 0 {
            return Err(wrong("the text breaks off within a run"));
        }
        Self::new(width, height, &counts)
    }
}

/// The parts of an interval of column-major positions, as column, top and bottom (exclusive).
pub(crate) fn columns(
    (start, end): (u64, u64),
    height: usize,
) -> impl Iterator<Item = (usize, usize, usize)> {
    let (start, end) = (start as usize, end as usize);
    (start / height.max(1)..end.div_ceil(height.max(1))).map(move |x| {
        let top = x * height;
        (x, start.saturating_sub(top), (end - top).min(height))
    })
}

/// Puts runs together from ascending intervals, merging those that touch.
#[derive(Default)]
struct Builder {
    counts: Vec<u32>,
    end: u64,
}

impl Builder {
    fn add(&mut self, start: u64, end: u64) {
        match self.counts.last_mut() {
            Some(last) if self.end == start => *last += (end - start) as u32,
            _ => self
                .counts
                .extend([(start - self.end) as u32, (end - start) as u32]),
        }
        self.end = end;
    }

    fn finish(mut self, width: usize, height: usize) -> Rle {
        let rest = (width * height) as u64 - self.end;
        if rest > 0 || self.counts.is_empty() {
            self.counts.push(rest as u32);
        }
        self.counts.shrink_to_fit();
        Rle {
            width,
            height,
            counts: self.counts,
        }
    }
}

/// The number of pixels, where it fits the 32 bits of a run.
fn check_size(width: usize, height: usize) -> Result<u64> {
    let pixels = (width as u64)
        .checked_mul(height as u64)
        .filter(|&pixels| u32::try_from(pixels).is_ok());
    pixels.ok_or_else(|| {
        runs(
            (width, height),
            "the mask has more than 2^32 - 1 pixels".into(),
        )
    })
}

fn runs(size: (usize, usize), reason: String) -> PixelError {
    PixelError::Runs { size, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::RandomState;

    /// A random bitmap with runs of about `length` pixels.
    fn bitmap(seed: u32, width: usize, height: usize, length: f64) -> Vec<u8> {
        let mut state = RandomState::new(seed);
        let mut value = 0;
        let mut columns = vec![0; width * height];
        for i in 0..width * height {
            if state.random_sample() < 1.0 / length {
                value = 1 - value;
            }
            columns[i % height * width + i / height] = value;
        }
        columns
    }

    fn samples() -> impl Iterator<Item = (Vec<u8>, usize, usize)> {
        (0..60).map(|seed| {
            let (width, height) = (1 + seed as usize % 13, 1 + seed as usize * 7 % 17);
            (
                bitmap(seed, width, height, 1.0 + f64::from(seed % 5) * 3.0),
                width,
                height,
            )
        })
    }

    #[test]
    fn every_form_round_trips() {
        for (bits, width, height) in samples() {
            let mask = Rle::from_bitmap(&bits, width, height).unwrap();
            assert_eq!(mask.to_bitmap(), bits);
            assert_eq!(Rle::new(width, height, mask.counts()).unwrap(), mask);
            assert_eq!(
                Rle::from_coco_string(width, height, &mask.to_coco_string()).unwrap(),
                mask
            );
            assert_eq!(
                mask.area(),
                bits.iter().map(|&bit| u64::from(bit)).sum::<u64>()
            );
        }
    }

    /// What pycocotools 2.0.11 gives: `mask.encode(np.asfortranarray(m))['counts']` for a 4x5 mask with rows
    /// 1..3 and columns 1..4 set, and for one of 300x200 (height, width) with rows 20..250, columns 30..170 set.
    #[test]
    fn strings_are_those_of_pycocotools() {
        let rectangle =
            |w: usize, h: usize, xs: std::ops::Range<usize>, ys: std::ops::Range<usize>| {
                let bits: Vec<u8> = (0..w * h)
                    .map(|i| u8::from(xs.contains(&(i % w)) && ys.contains(&(i / w))))
                    .collect();
                Rle::from_bitmap(&bits, w, h).unwrap()
            };
        assert_eq!(rectangle(5, 4, 1..4, 1..3).to_coco_string(), SMALL);
        let large = rectangle(200, 300, 30..170, 20..250);
        assert!(
            large.to_coco_string().starts_with(LARGE_START),
            "{}",
            large.to_coco_string()
        );
        assert!(
            large.to_coco_string().ends_with(LARGE_END),
            "{}",
            large.to_coco_string()
        );
    }

    /// Length and CRC-32 of pycocotools 2.0.11's string for 40 rows of 50 columns, inside where
    /// `(y * y + 3 * x * x) % 97 < 40`.
    #[test]
    fn a_busy_string_is_that_of_pycocotools() {
        let inside = |i: usize| u8::from(((i / 50).pow(2) + 3 * (i % 50).pow(2)) % 97 < 40);
        let text = Rle::from_bitmap(&(0..2000).map(inside).collect::<Vec<_>>(), 50, 40)
            .unwrap()
            .to_coco_string();
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        assert_eq!((text.len(), crc.sum()), (1097, 1_329_021_024));
    }
    const SMALL: &str = "5220003";
    const LARGE_START: &str = "li8V7V2000";
    const LARGE_END: &str = "000dh8";

    #[test]
    fn zero_runs_are_merged() {
        let mask = Rle::new(2, 3, &[1, 2, 0, 1, 2, 0]).unwrap();
        assert_eq!(mask.counts(), [1, 3, 2]);
        assert_eq!(Rle::new(2, 3, &[0, 0, 6]).unwrap().counts(), [6]);
        assert_eq!(Rle::new(0, 3, &[]).unwrap().counts(), [0]);
    }

    #[test]
    fn runs_that_do_not_fit_are_refused() {
        for counts in [&[][..], &[5], &[7], &[1, 2, 4], &[u32::MAX, u32::MAX]] {
            assert!(
                matches!(Rle::new(2, 3, counts), Err(PixelError::Runs { .. })),
                "{counts:?}"
            );
        }
        assert!(Rle::new(1 << 20, 1 << 20, &[0]).is_err());
        assert!(Rle::new(usize::MAX, 2, &[0]).is_err());
        assert!(Rle::from_bitmap(&[0; 5], 2, 3).is_err());
        for text in ["", "7", "P", "\u{7f}", "é", "oooooooooooooooo0", "1O", "X"] {
            assert!(Rle::from_coco_string(2, 3, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_equals_the_same_part_of_the_whole() {
        for (bits, width, height) in samples() {
            let mask = Rle::from_bitmap(&bits, width, height).unwrap();
            for (x, y) in [(0, 0), (width / 2, height / 3), (width - 1, height - 1)] {
                let (w, h) = ((width - x).div_ceil(2), (height - y).div_ceil(2));
                let mut window = vec![9; w * h];
                mask.crop_into(x, y, w, h, &mut window).unwrap();
                let expected: Vec<u8> = (0..w * h)
                    .map(|i| bits[(y + i / w) * width + x + i % w])
                    .collect();
                assert_eq!(window, expected, "{width}x{height} at {x},{y}");
            }
            assert!(mask.crop_into(1, 0, width, height, &mut []).is_err());
            assert!(mask.crop_into(0, 0, 1, 1, &mut []).is_err());
            mask.crop_into(0, 0, 0, height, &mut []).unwrap();
        }
    }

    #[test]
    fn a_placed_mask_is_found_again_in_its_window() {
        for (bits, width, height) in samples() {
            let mask = Rle::from_bitmap(&bits, width, height).unwrap();
            let placed = mask.placed(3, 2, width + 3, height + 7).unwrap();
            let mut window = vec![0; bits.len()];
            placed.crop_into(3, 2, width, height, &mut window).unwrap();
            assert_eq!((window, placed.area()), (bits, mask.area()));
            assert_eq!(mask.placed(0, 0, width, height).unwrap(), mask);
            assert!(mask.placed(1, 0, width, height).is_err());
            assert!(mask.placed(usize::MAX, 0, width, height).is_err());
        }
    }

    #[test]
    fn boxes_and_overlaps_are_those_of_the_pixels() {
        for (bits, width, height) in samples() {
            let mask = Rle::from_bitmap(&bits, width, height).unwrap();
            let inside = || (0..bits.len()).filter(|&i| bits[i] != 0);
            let span = |f: &dyn Fn(usize) -> usize| (inside().map(f).min(), inside().map(f).max());
            let ((left, right), (top, bottom)) = (span(&|i| i % width), span(&|i| i / width));
            assert_eq!(
                mask.bbox(),
                [left, top, right, bottom].map(Option::unwrap_or_default)
            );

            let other_bits = bitmap(1234, width, height, 4.0);
            let other = Rle::from_bitmap(&other_bits, width, height).unwrap();
            let both = bits
                .iter()
                .zip(&other_bits)
                .filter(|(a, b)| **a & **b == 1)
                .count();
            let either = bits
                .iter()
                .zip(&other_bits)
                .filter(|(a, b)| **a | **b == 1)
                .count();
            assert_eq!(mask.intersection(&other), both as u64);
            let expected = if either == 0 {
                0.0
            } else {
                both as f64 / either as f64
            };
            assert!((mask.iou(&other) - expected).abs() < 1e-15);
        }
        let (a, b) = (
            Rle::new(2, 3, &[0, 6]).unwrap(),
            Rle::new(3, 2, &[0, 6]).unwrap(),
        );
        assert_eq!((a.iou(&b), a.iou(&a)), (0.0, 1.0));
    }
}
