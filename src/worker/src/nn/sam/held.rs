//! The masks of one image or crop from the scan to suppression, which says by their boxes which of them are wanted.
//! Unaware of networks, boxes and scores.
//!
//! ```text
//!   scanned on the host ── run lengths ──────────────────────────────────────────┬─> take(those that are kept) ──> run lengths
//!   scanned on a device ── bits, eight a byte ─┬─ they stay there ─── take ─ wait ┤
//!                                              └─ too many ─── hold ─ wait ───────┘
//! ```

use pixels::{PixelError, Rle};
use rayon::prelude::*;
use tch::Tensor;

use crate::nn::host;

/// Bytes of masks that stay on a device: 4,096 masks of a megapixel, more than there are points in the official grid, three
/// times. Taking some of them needs as much once more for a moment.
const MOST: usize = 512 << 20;

/// Masks, each at the place that it was given when it came.
#[derive(Debug)]
pub struct Held {
    /// Width and height of a mask.
    size: (usize, usize),
    /// Bytes that may stay on the device.
    most: usize,
    /// The first masks.
    here: Vec<Rle>,
    /// Those behind them, (n, bytes) a part.
    there: Vec<Tensor>,
}

impl Held {
    /// No masks, of `size` (width, height) each.
    pub const fn new(size: (usize, usize)) -> Self {
        Self::at_most(size, MOST)
    }

    /// The same with another bound on the bytes that stay on the device.
    pub const fn at_most(size: (usize, usize), most: usize) -> Self {
        Self {
            size,
            most,
            here: Vec::new(),
            there: Vec::new(),
        }
    }

    /// Adds a mask of the host; its place. Those of one image come from the host or from a device, all of them.
    pub fn add(&mut self, mask: Rle) -> usize {
        self.here.push(mask);
        self.here.len() - 1
    }

    /// Adds masks (n, bytes) that lie on a device; the place of the first. Waits only where more lie there than may.
    pub fn hold(&mut self, packed: Tensor) -> Result<usize, PixelError> {
        let first = self.here.len() + self.count();
        self.there.push(packed);
        if self.count() * self.bytes() > self.most {
            let masks = self.fetched(&Tensor::cat(&self.there, 0))?;
            self.there.clear();
            self.here.extend(masks);
        }
        Ok(first)
    }

    /// The masks at `places`, in that order. Waits for the device once where some lie there, and leaves the others there.
    pub fn take(self, places: &[usize]) -> Result<Vec<Rle>, PixelError> {
        let behind = places.iter().filter_map(|n| n.checked_sub(self.here.len()));
        let behind: Vec<i64> = behind.map(|n| n as i64).collect();
        let mut fetched = match self.there.first() {
            Some(part) if !behind.is_empty() => {
                let index = host::send(&Tensor::from_slice(&behind), part.device());
                self.fetched(&Tensor::cat(&self.there, 0).index_select(0, &index))?
            }
            _ => Vec::new(),
        }
        .into_iter();
        let mask = |n: &usize| self.here.get(*n).cloned().or_else(|| fetched.next());
        Ok(places.iter().filter_map(mask).collect())
    }

    /// How many lie on the device.
    fn count(&self) -> usize {
        self.there.iter().map(|part| part.size()[0] as usize).sum()
    }

    /// Bytes of a packed mask.
    const fn bytes(&self) -> usize {
        (self.size.0 * self.size.1).div_ceil(8)
    }

    /// Masks (n, bytes) of a device as run lengths.
    fn fetched(&self, packed: &Tensor) -> Result<Vec<Rle>, PixelError> {
        let (width, height) = self.size;
        let bits = host::bytes(packed);
        let masks = bits.par_chunks(self.bytes().max(1));
        masks
            .map(|bits| Rle::new(width, height, &runs(bits, width * height)))
            .collect()
    }
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
    use crate::nn::host::Traffic;

    #[test]
    fn runs_are_those_of_the_bits() {
        let of = |text: &str| {
            let mut packed = vec![0; text.len().div_ceil(8)];
            let bits = text.bytes().enumerate();
            bits.for_each(|(at, bit)| packed[at / 8] |= (bit - b'0') << (at % 8));
            runs(&packed, text.len())
        };
        assert_eq!(of("0"), [1]);
        assert_eq!(of("1"), [0, 1]);
        assert_eq!(of("11111111"), [0, 8]);
        assert_eq!(of("111111111"), [0, 9]);
        assert_eq!(of("0011100111111111111100000000001"), [2, 3, 2, 13, 10, 1]);
    }

    /// Masks of 3×5 pixels, two bytes each; those of the second part have the next numbers.
    fn held(most: usize) -> Held {
        let mut held = Held::at_most((3, 5), most);
        let part = |first: u8| Tensor::from_slice(&[first, 1, first + 1, 1]).view([2, 2]);
        assert_eq!(held.hold(part(10)).unwrap(), 0);
        assert_eq!(held.hold(part(12)).unwrap(), 2);
        assert_eq!(held.hold(part(14)).unwrap(), 4);
        held
    }

    fn mask(number: u8) -> Rle {
        Rle::new(3, 5, &runs(&[number, 1], 15)).unwrap()
    }

    #[test]
    fn only_what_is_taken_crosses_at_once_and_in_the_order_that_was_asked_for() {
        let (masks, traffic) = host::traffic(|| held(1000).take(&[5, 0, 3]).unwrap());
        assert_eq!(masks, [mask(15), mask(10), mask(13)]);
        let expected = Traffic {
            waits: 1,
            uploads: 1,
            bytes: 3 * 2,
        };
        assert_eq!(traffic, expected);
        let (none, traffic) = host::traffic(|| held(1000).take(&[]).unwrap());
        assert!(none.is_empty());
        assert_eq!(traffic, Traffic::default());
    }

    #[test]
    fn what_may_not_stay_on_the_device_crosses_early_and_is_the_same() {
        let (masks, traffic) = host::traffic(|| held(7).take(&[5, 0, 3]).unwrap());
        assert_eq!(masks, [mask(15), mask(10), mask(13)]);
        assert_eq!((traffic.waits, traffic.bytes), (2, 4 * 2 + 2));
        let (masks, traffic) = host::traffic(|| held(0).take(&[5, 0, 3]).unwrap());
        assert_eq!(masks, [mask(15), mask(10), mask(13)]);
        assert_eq!((traffic.waits, traffic.bytes), (3, 6 * 2));
    }

    #[test]
    fn masks_of_the_host_wait_for_nothing() {
        let mut held = Held::new((3, 5));
        assert_eq!((held.add(mask(1)), held.add(mask(2))), (0, 1));
        let (masks, traffic) = host::traffic(|| held.take(&[1]).unwrap());
        assert_eq!(masks, [mask(2)]);
        assert_eq!(traffic, Traffic::default());
    }
}
