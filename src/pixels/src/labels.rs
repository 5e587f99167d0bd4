//! A label map of masks: for each pixel the number of the mask on top.
//! Unaware of who made the masks.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::error::{PixelError, Result};
use crate::rle::columns;
use crate::stack::MaskStack;

/// Row-major labels, height × width: 0 where there is no mask, else the place of the mask from 1. Where masks overlap the
/// smaller one is on top.
pub fn label_map(stack: &MaskStack) -> Vec<u16> {
    let mut labels = vec![0; stack.width * stack.height];
    for index in largest_first(stack) {
        let mask = &stack.masks[index];
        for (x, top, bottom) in mask.ones().flat_map(|ones| columns(ones, stack.height)) {
            for y in top..bottom {
                labels[y * stack.width + x] = index as u16 + 1;
            }
        }
    }
    labels
}

/// The masks' places, the largest mask first.
pub fn largest_first(stack: &MaskStack) -> Vec<usize> {
    let mut places: Vec<usize> = (0..stack.masks.len()).collect();
    places.sort_by_key(|&i| std::cmp::Reverse(stack.masks[i].area()));
    places
}

/// Writes [`label_map`] as a grey PNG file of 16 bits. Errors: [`PixelError::Write`],
/// [`PixelError::Encode`].
pub fn write_label_map(path: &Path, stack: &MaskStack) -> Result<()> {
    // The encoder takes samples in the machine's order.
    let samples: Vec<u8> = label_map(stack)
        .into_iter()
        .flat_map(u16::to_ne_bytes)
        .collect();
    let mut bytes = Vec::new();
    let (width, height) = (stack.width as u32, stack.height as u32);
    PngEncoder::new(&mut bytes)
        .write_image(&samples, width, height, ExtendedColorType::L16)
        .map_err(|error| PixelError::Encode {
            form: "PNG",
            size: (stack.width, stack.height),
            reason: error.to_string(),
        })?;
    std::fs::write(path, bytes).map_err(PixelError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rle::Rle;

    #[test]
    fn the_smaller_mask_is_on_top_and_numbers_are_places() {
        let small = Rle::from_bitmap(&[0, 1, 0, 0, 0, 0], 3, 2).unwrap();
        let large = Rle::from_bitmap(&[1, 1, 0, 1, 1, 0], 3, 2).unwrap();
        let stack = MaskStack::new(3, 2, 4, vec![small, large]).unwrap();
        assert_eq!(label_map(&stack), [2, 1, 0, 2, 2, 0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.png");
        write_label_map(&path, &stack).unwrap();
        let read = image::open(&path).unwrap().to_luma16();
        assert_eq!(read.into_raw(), [2, 1, 0, 2, 2, 0]);
    }
}
