//! Which crops of an image are segmented, and which masks a crop has cut off (official `amg.py`).
//! Unaware of networks and masks beyond their boxes.

/// A box in pixels: left, top, right, bottom. Of a crop, right and bottom are exclusive.
pub type Box4 = [i64; 4];

/// The crops of a `width`×`height` image with their layers: the whole image, then 4, 16, … overlapping crops, column
/// by column.
pub fn crop_boxes(
    width: usize,
    height: usize,
    layers: usize,
    overlap_ratio: f64,
) -> Vec<(Box4, usize)> {
    let (w, h) = (width as i64, height as i64);
    let mut boxes = vec![([0, 0, w, h], 0)];
    for layer in 1..=layers {
        let side = 1_i64 << layer;
        let overlap = (overlap_ratio * w.min(h) as f64 * (2.0 / side as f64)) as i64;
        let length =
            |whole: i64| ((overlap * (side - 1) + whole) as f64 / side as f64).ceil() as i64;
        let (crop_w, crop_h) = (length(w), length(h));
        for i in 0..side * side {
            let (x, y) = (
                (crop_w - overlap) * (i / side),
                (crop_h - overlap) * (i % side),
            );
            // Of an image of few pixels nothing may be left for the last crops of a deep layer.
            if x < w && y < h {
                boxes.push(([x, y, (x + crop_w).min(w), (y + crop_h).min(h)], layer));
            }
        }
    }
    boxes
}

/// Whether a mask's box (in the image's frame) ends near an edge of its crop that is no edge of the image.
pub fn is_cut_off(mask: Box4, crop: Box4, width: usize, height: usize) -> bool {
    let image = [0, 0, width as i64, height as i64];
    let near = |a: i64, b: i64| (a - b).abs() <= NEAR;
    (0..4).any(|i| near(mask[i], crop[i]) && !near(mask[i], image[i]))
}

/// Pixels within which an edge counts as touched (official `is_box_near_crop_edge`, `atol`).
const NEAR: i64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Official `generate_crop_boxes((160, 200), 2, 512 / 1500)`.
    #[test]
    fn crops_are_the_official_ones() {
        let boxes = crop_boxes(200, 160, 2, 512.0 / 1500.0);
        assert_eq!(boxes.len(), 21);
        assert_eq!(boxes[..6], OFFICIAL_FIRST);
        assert_eq!(boxes[20], OFFICIAL_LAST);
    }
    const OFFICIAL_FIRST: [(Box4, usize); 6] = [
        ([0, 0, 200, 160], 0),
        ([0, 0, 127, 107], 1),
        ([0, 53, 127, 160], 1),
        ([73, 0, 200, 107], 1),
        ([73, 53, 200, 160], 1),
        ([0, 0, 71, 61], 2),
    ];
    const OFFICIAL_LAST: (Box4, usize) = ([132, 102, 200, 160], 2);

    #[test]
    fn crops_of_an_image_of_few_pixels_are_never_empty() {
        for (width, height) in [(7, 5), (1, 1), (2, 300), (3, 1)] {
            for layers in 1..=4 {
                let boxes = crop_boxes(width, height, layers, 512.0 / 1500.0);
                assert!(
                    boxes.iter().all(|([l, t, r, b], _)| l < r && t < b),
                    "{width}x{height}"
                );
                assert!(boxes.iter().any(|(_, layer)| *layer == layers));
            }
        }
    }

    #[test]
    fn only_edges_inside_the_image_cut_off() {
        let crop = [73, 0, 200, 107];
        assert!(!is_cut_off([100, 5, 199, 80], crop, 200, 160));
        assert!(is_cut_off([90, 30, 150, 80], crop, 200, 160));
        assert!(is_cut_off([100, 30, 150, 87], crop, 200, 160));
        assert!(!is_cut_off([100, 30, 150, 86], crop, 200, 160));
        assert!(!is_cut_off([0, 0, 199, 159], [0, 0, 200, 160], 200, 160));
    }
}
