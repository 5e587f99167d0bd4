//! A picture of a mask stack: each mask in its own colour over the image.
//! Unaware of files and of which masks are right.

use crate::image::Rgb8;
use crate::rle::columns;
use crate::stack::MaskStack;

/// `image` with every mask of `stack` blended over it in a colour of its own, large masks below small ones where
/// they are in that order. Masks of another size than the image are cut or left out where they do not overlap.
pub fn overlay(image: &Rgb8, stack: &MaskStack) -> Rgb8 {
    let mut picture = image.clone();
    for (index, mask) in stack.masks.iter().enumerate() {
        let color = color(index);
        for (x, top, bottom) in mask.ones().flat_map(|ones| columns(ones, mask.height())) {
            for y in top..bottom.min(image.height) {
                if x < image.width {
                    let at = (y * image.width + x) * 3;
                    blend(
                        &mut picture.data[at..at + 3],
                        &image.data[at..at + 3],
                        color,
                    );
                }
            }
        }
    }
    picture
}

/// The image's brightness with half of a colour in it.
fn blend(out: &mut [u8], pixel: &[u8], color: [u8; 3]) {
    for ((out, &pixel), color) in out.iter_mut().zip(pixel).zip(color) {
        *out = u8::midpoint(pixel, color);
    }
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
        assert_eq!(picture.data[..3], [177, 50, 50]);
        assert_eq!(picture.data[3..], [100; 9]);
    }

    #[test]
    fn colours_differ() {
        let mut colors: Vec<_> = (0..64).map(color).collect();
        colors.sort_unstable();
        colors.dedup();
        assert!(colors.len() > 60, "{}", colors.len());
    }
}
