//! The same as `scan` where the logits lie: enlarged, counted, packed and filtered on the device, so that what is not kept
//! never crosses. Unaware of networks, prompts and of which masks are good enough.
//!
//! ```text
//!   device:  logits ─ in parts ─> two interpolations ─> counts (n, 2) ───────────┐
//!                                                  └──> bits, eight a byte (n, …) ┼─ of those kept ─┐
//!   host:                                              wait 1: stability, keep? ──┘       wait 2 ──> run lengths
//! ```
//!
//! The interpolations are the official ones (`sam.py`, `postprocess_masks`), not the single one of `scan`: their sums are
//! rounded in another order, so a pixel whose logit is nearly 0 may differ, as it may between a CPU and a GPU anyway.
//! Run lengths and boxes are made of the packed bits on the host; suppression is of boxes alone and takes no time there.

use pixels::{PixelError, Rle};
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::scan::{Frame, Scanned};
use crate::nn::host;

/// Bytes of enlarged logits that lie on the device at once.
const AT_ONCE: usize = 512 << 20;

/// The enlargement of all masks of one image.
#[derive(Debug)]
pub struct DeviceScanner {
    /// The sizes.
    pub frame: Frame,
    /// That of the stability score.
    pub offset: f32,
}

impl DeviceScanner {
    /// Scans logits (n, low, low); those whose stability `is_kept`, with their places. Waits for the device twice at most.
    pub fn scan(
        &self,
        logits: &Tensor,
        is_kept: impl Fn(f32) -> bool,
    ) -> Result<Vec<(usize, Scanned)>, PixelError> {
        let (mut counts, mut packed) = (Vec::new(), Vec::new());
        for part in logits.split(self.masks_at_once(), 0) {
            let large = self.enlarged(&part);
            counts.push(self.counts(&large));
            packed.push(packed_columns(&large.gt(0.0)));
        }
        let counts = host::floats(&Tensor::cat(&counts, 0));
        let stability = counts.chunks_exact(2).map(|count| count[0] / count[1]);
        let kept: Vec<(usize, f32)> = stability
            .enumerate()
            .filter(|(_, score)| is_kept(*score))
            .collect();
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<i64> = kept.iter().map(|(at, _)| *at as i64).collect();
        let places = host::send(&Tensor::from_slice(&places), logits.device());
        let bits = host::bytes(&Tensor::cat(&packed, 0).index_select(0, &places));
        let (width, height) = self.frame.size;
        let mask = |(&(at, stability), bits): (&(usize, f32), &[u8])| {
            let mask = Rle::new(width, height, &runs(bits, width * height))?;
            Ok((at, Scanned { mask, stability }))
        };
        let bits = bits.par_chunks((width * height).div_ceil(8));
        kept.par_iter().zip(bits).map(mask).collect()
    }

    fn masks_at_once(&self) -> i64 {
        let Frame { full, size, .. } = self.frame;
        let bytes = size_of::<f32>() * (full * full).max(size.0 * size.1);
        (AT_ONCE / bytes.max(1)).max(1) as i64
    }

    /// Logits (n, height, width) of the image's size.
    fn enlarged(&self, logits: &Tensor) -> Tensor {
        let Frame {
            full, scaled, size, ..
        } = self.frame;
        let full = full as i64;
        let x = logits.to_kind(Kind::Float).unsqueeze(1);
        let x = x.upsample_bilinear2d([full, full], false, None, None);
        let x = x
            .narrow(2, 0, scaled.1 as i64)
            .narrow(3, 0, scaled.0 as i64);
        x.contiguous()
            .upsample_bilinear2d([size.1 as i64, size.0 as i64], false, None, None)
            .squeeze_dim(1)
    }

    /// Pixels above the offset and above minus the offset (n, 2), as float32.
    fn counts(&self, large: &Tensor) -> Tensor {
        let above = |cut: f32| {
            let inside = large.gt(f64::from(cut));
            inside.sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Int64)
        };
        Tensor::stack(&[above(self.offset), above(-self.offset)], 1).to_kind(Kind::Float)
    }
}

/// Masks (n, height, width) column by column, eight pixels a byte, the first in the lowest bit; zeros behind the last.
fn packed_columns(masks: &Tensor) -> Tensor {
    let n = masks.size()[0];
    let flat = masks
        .transpose(1, 2)
        .to_kind(Kind::Uint8)
        .contiguous()
        .view([n, -1]);
    let missing = -flat.size()[1] & 7;
    let padded = flat.constant_pad_nd([0, missing]).view([n, -1, 8]);
    let places = Tensor::arange(8, (Kind::Uint8, masks.device()));
    padded
        .bitwise_left_shift(&places)
        .sum_dim_intlist([2_i64].as_slice(), false, Kind::Uint8)
}

/// COCO's run lengths, zeros first, of the first `pixels` bits.
fn runs(packed: &[u8], pixels: usize) -> Vec<u32> {
    let (mut runs, mut start, mut inside) = (Vec::new(), 0, false);
    for (n, &byte) in packed.iter().enumerate() {
        if byte == if inside { u8::MAX } else { 0 } {
            continue; // most bytes of a mask
        }
        for at in n * 8..(n * 8 + 8).min(pixels) {
            if (byte >> (at % 8) & 1 == 1) != inside {
                runs.push((at - start) as u32);
                (start, inside) = (at, !inside);
            }
        }
    }
    runs.push((pixels - start) as u32);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_of_the_bits() {
        let bits = |text: &str| {
            let bits: Vec<u8> = text.bytes().map(|b| b - b'0').collect();
            let height = bits.len() as i64;
            let mask = Tensor::from_slice(&bits).view([1, height, 1]).gt(0.0);
            runs(&host::bytes(&packed_columns(&mask)), bits.len())
        };
        assert_eq!(bits("0"), [1]);
        assert_eq!(bits("1"), [0, 1]);
        assert_eq!(bits("11111111"), [0, 8]);
        assert_eq!(bits("111111111"), [0, 9]);
        assert_eq!(
            bits("0011100111111111111100000000001"),
            [2, 3, 2, 13, 10, 1]
        );
    }

    #[test]
    fn columns_come_one_behind_the_other() {
        let mask = Tensor::from_slice(&[0_u8, 1, 1, 0, 0, 1])
            .view([1, 2, 3])
            .gt(0.0);
        let packed = host::bytes(&packed_columns(&mask));
        assert_eq!(runs(&packed, 6), [2, 1, 1, 2]);
    }
}
