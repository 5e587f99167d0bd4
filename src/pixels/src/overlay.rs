//! A picture of a mask stack: each mask in its own light colour over the image, with its outline.
//! Unaware of files and of which masks are right.

use crate::image::Rgb8;
use crate::labels::label_map;
use crate::rle::columns;
use crate::stack::MaskStack;

/// How much of a mask's colour is in a pixel, in 256ths.
const SHARE: u16 = 90;

/// `image` with every mask of `stack` blended over it in a colour of its own, large masks below small ones where
/// they are in that order, and with a line in a stronger tone along its edge. Masks of another size than the image are cut or
/// left out where they do not overlap.
pub fn overlay(image: &Rgb8, stack: &MaskStack) -> Rgb8 {
    let mut picture = image.clone();
    // Which mask is on top of a pixel, from 1; 0 where there is none.
    let mut top = vec![0; image.width * image.height];
    for (index, mask) in stack.masks.iter().enumerate() {
        for (x, first, last) in mask.ones().flat_map(|ones| columns(ones, mask.height())) {
            for y in first..last.min(image.height) {
                if x < image.width {
                    top[y * image.width + x] = index + 1;
                }
            }
        }
    }
    for (at, pixel) in picture.data.chunks_exact_mut(3).enumerate() {
        let (mask, is_edge) = (top[at], is_edge(&top, image.width, at));
        if mask > 0 {
            let share = if is_edge { 256 } else { SHARE };
            blend(pixel, light(mask - 1), share);
        }
    }
    picture
}

/// The picture of [`label_map`]: each mask in its colour on black, its edge darker.
pub fn label_colors(stack: &MaskStack) -> Rgb8 {
    let labels: Vec<usize> = label_map(stack).into_iter().map(usize::from).collect();
    let mut data = vec![0; labels.len() * 3];
    for (at, pixel) in data.chunks_exact_mut(3).enumerate() {
        if labels[at] > 0 {
            let share = if is_edge(&labels, stack.width, at) {
                110
            } else {
                256
            };
            blend(pixel, light(labels[at] - 1), share);
        }
    }
    Rgb8 {
        width: stack.width,
        height: stack.height,
        data,
    }
}

/// Whether another mask, or none, is on top right of a pixel or below it.
fn is_edge(top: &[usize], width: usize, at: usize) -> bool {
    let is_last = (at + 1).is_multiple_of(width);
    let right = top.get(at + 1).filter(|_| !is_last);
    let below = top.get(at + width);
    [right, below]
        .into_iter()
        .flatten()
        .any(|other| *other != top[at])
}

/// A share of a colour, in 256ths, in a pixel.
fn blend(pixel: &mut [u8], color: [u8; 3], share: u16) {
    for (sample, color) in pixel.iter_mut().zip(color) {
        let mixed =
            u32::from(*sample) * u32::from(256 - share) + u32::from(color) * u32::from(share);
        *sample = (mixed / 256) as u8;
    }
}

/// A mask's colour, a third of the way to white.
fn light(index: usize) -> [u8; 3] {
    color(index).map(|v| v + (255 - v) / 3)
}

/// A saturated colour; neighbouring indices get hues that are far apart (steps of the golden ratio).
fn color(index: usize) -> [u8; 3] {
    let hue = (index as f64 * 0.618_033_988_749_895).fract() * 6.0;
    [5.0, 3.0, 1.0].map(|shift: f64| {
        let around = (shift + hue) % 6.0;
        (255.0 * (1.0 - around.min(4.0 - around).clamp(0.0, 1.0))) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rle::Rle;

    #[test]
    fn masks_are_coloured_and_the_rest_stays() {
        let image = Rgb8::new(2, 2, vec![100; 12]).unwrap();
        let mask = Rle::new(2, 2, &[0, 1, 3]).unwrap();
        let picture = overlay(&image, &MaskStack::new(2, 2, 4, vec![mask]).unwrap());
        assert_eq!(picture.data[..3], [255, 85, 85], "all of it is edge");
        assert_eq!(picture.data[3..], [100; 9]);
    }

    #[test]
    fn what_is_within_is_light_and_edges_are_strong() {
        let image = Rgb8::new(4, 4, vec![100; 48]).unwrap();
        let mask = Rle::from_bitmap(&[1; 16], 4, 4).unwrap();
        let small = Rle::from_bitmap(&[0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0], 4, 4);
        let stack = MaskStack::new(4, 4, 4, vec![mask, small.unwrap()]).unwrap();
        let picture = overlay(&image, &stack);
        let at = |x: usize, y: usize| &picture.data[(y * 4 + x) * 3..][..3];
        assert_eq!(at(0, 0), [154, 94, 94], "a third of the colour");
        assert_eq!(at(0, 1), [255, 85, 85], "left of the other");
        assert_ne!(at(1, 1), at(2, 2));
        let labels = label_colors(&stack);
        assert_eq!(labels.data[..3], [255, 85, 85]);
        assert!(labels.data.iter().any(|v| *v > 200));
    }

    #[test]
    fn colours_differ() {
        let mut colors: Vec<_> = (0..64).map(color).collect();
        colors.sort_unstable();
        colors.dedup();
        assert!(colors.len() > 60, "{}", colors.len());
    }
}
