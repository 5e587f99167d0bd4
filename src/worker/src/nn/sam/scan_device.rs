//! The same as `scan` where the logits lie: enlarged, counted, boxed, packed and filtered on the device, so that of what is not
//! kept only numbers cross. Unaware of networks, prompts and of which masks are good enough.
//!
//! ```text
//!   device:  logits ─ in parts ─> two interpolations ┬─> counts and boxes (n, 6) ┐
//!                                                    └─> bits, eight a byte ─────┼─ of those kept ──> held, there
//!   host:                                               wait: stability, keep? ──┘
//! ```
//!
//! The interpolations are the official ones (`sam.py`, `postprocess_masks`), not the single one of `scan`: their sums are
//! rounded in another order, so a pixel whose logit is nearly 0 may differ, as it may between a CPU and a GPU anyway.
//! Suppression looks at boxes alone, which the host has by then; run lengths are made there of the masks that it leaves.

use pixels::PixelError;
use tch::{Kind, Tensor};

use super::held::Held;
use super::scan::{Frame, Seen};
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
    /// Scans logits (n, low, low): what is seen of those whose stability `is_kept`, and the masks themselves into `held`. Waits
    /// for the device once, and where `held` does.
    pub fn scan(
        &self,
        logits: &Tensor,
        is_kept: impl Fn(f32) -> bool,
        held: &mut Held,
    ) -> Result<Vec<Seen>, PixelError> {
        let (mut numbers, mut packed) = (Vec::new(), Vec::new());
        for part in logits.split(self.masks_at_once(), 0) {
            let large = self.enlarged(&part);
            let inside = large.gt(0.0);
            numbers.push(self.numbers(&large, &inside));
            packed.push(packed_columns(&inside));
        }
        let numbers = host::floats(&Tensor::cat(&numbers, 0));
        let mut seen: Vec<Seen> = seen(&numbers)
            .filter(|one| is_kept(one.stability))
            .collect();
        if seen.is_empty() {
            return Ok(seen);
        }
        let answers: Vec<i64> = seen.iter().map(|one| one.answer as i64).collect();
        let answers = host::send(&Tensor::from_slice(&answers), logits.device());
        let first = held.hold(Tensor::cat(&packed, 0).index_select(0, &answers))?;
        for (n, one) in seen.iter_mut().enumerate() {
            one.place = first + n;
        }
        Ok(seen)
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

    /// Pixels above the offset and above minus the offset, then left, top, right and bottom of those above 0: (n, 6), as
    /// float32.
    fn numbers(&self, large: &Tensor, inside: &Tensor) -> Tensor {
        let above = |cut: f32| {
            let inside = large.gt(f64::from(cut));
            inside.sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Int64)
        };
        let [left, right] = ends(&inside.any_dim(1, false));
        let [top, bottom] = ends(&inside.any_dim(2, false));
        let (above, below) = (above(self.offset), above(-self.offset));
        Tensor::stack(&[above, below, left, top, right, bottom], 1).to_kind(Kind::Float)
    }
}

/// The first and the last place of each row of `any` (n, length) that is true; zeros where none is.
fn ends(any: &Tensor) -> [Tensor; 2] {
    let places = Tensor::arange(any.size()[1], (Kind::Int64, any.device()));
    let first = any.to_kind(Kind::Uint8).argmax(1, false); // of equal ones the first
    [first, (any * places).amax([1_i64].as_slice(), false)]
}

/// What the rows of [`DeviceScanner::numbers`] say, without places.
fn seen(numbers: &[f32]) -> impl Iterator<Item = Seen> {
    let rows = numbers.chunks_exact(6).enumerate();
    rows.map(|(answer, row)| Seen {
        answer,
        stability: row[0] / row[1],
        bbox: [row[2], row[3], row[4], row[5]].map(|v| v as usize),
        place: 0,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As run lengths, by way of the place where masks are held.
    fn crossed(masks: &Tensor) -> pixels::Rle {
        let size = masks.size();
        let mut held = Held::new((size[2] as usize, size[1] as usize));
        held.hold(packed_columns(masks)).unwrap();
        held.take(&[0]).unwrap().remove(0)
    }

    #[test]
    fn columns_come_one_behind_the_other() {
        let mask = Tensor::from_slice(&[0_u8, 1, 1, 0, 0, 1]);
        assert_eq!(
            crossed(&mask.view([1, 2, 3]).gt(0.0)).counts(),
            [2, 1, 1, 2]
        );
    }

    #[test]
    fn boxes_are_those_of_the_masks() {
        tch::manual_seed(3);
        let float = (Kind::Float, tch::Device::Cpu);
        // Of the last ones none but a few pixels are left, then none.
        let thresholds = Tensor::linspace(0.5, 1.0, 40, float).view([40, 1, 1]);
        for (height, width) in [(1, 1), (1, 9), (7, 5), (16, 31)] {
            let noise = Tensor::rand([40, height, width], float);
            let masks = noise.gt_tensor(&thresholds);
            let [left, right] = ends(&masks.any_dim(1, false));
            let [top, bottom] = ends(&masks.any_dim(2, false));
            let boxes = host::floats(&Tensor::stack(&[left, top, right, bottom], 1));
            for (n, found) in boxes.chunks_exact(4).enumerate() {
                let expected = crossed(&masks.narrow(0, n as i64, 1)).bbox();
                assert_eq!(found, expected.map(|v| v as f32), "{height}×{width}");
            }
        }
    }
}
