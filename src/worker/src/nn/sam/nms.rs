//! Non-maximum suppression of boxes, as torchvision's `nms` on a CPU does it.
//! Unaware of masks.

use std::cmp::Ordering;

use super::crops::Box4;

/// The indices of the boxes that are kept, by descending score; of equal scores the earlier comes first.
///
/// A box is dropped if its IoU with a kept one exceeds `threshold`. Sides are right - left and bottom - top, all in
/// float32; two boxes without area have no IoU, and neither suppresses the other.
pub fn nms(boxes: &[Box4], scores: &[f32], threshold: f64) -> Vec<usize> {
    let boxes: Vec<[f32; 4]> = boxes.iter().map(|b| b.map(|v| v as f32)).collect();
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| descending(scores[a], scores[b]));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let covers = |k: &usize| f64::from(iou(&boxes[*k], &boxes[i])) > threshold; // never for NaN
        if !kept.iter().any(covers) {
            kept.push(i);
        }
    }
    kept
}

/// NaN counts as the largest, as in `PyTorch`'s sort.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a)
        .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Intersection over union; NaN for two boxes without area.
fn iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |v: &[f32; 4]| (v[2] - v[0]) * (v[3] - v[1]);
    let shared = width * height;
    shared / (area(a) + area(b) - shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        let boxes = [
            [0, 0, 10, 10],
            [1, 0, 11, 10],
            [20, 20, 30, 30],
            [0, 0, 10, 9],
        ];
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.1, 0.7], 0.7), [1, 2]);
        assert_eq!(nms(&boxes, &[0.5, 0.9, 0.1, 0.7], 0.95), [1, 3, 0, 2]);
    }

    #[test]
    fn equal_scores_keep_their_order_and_nan_comes_first() {
        let apart = [[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]];
        assert_eq!(nms(&apart, &[0.5, 0.5, 0.5], 0.7), [0, 1, 2]);
        assert_eq!(nms(&apart, &[0.5, 0.9, f32::NAN], 0.7), [2, 1, 0]);
    }

    #[test]
    fn boxes_without_area_never_suppress() {
        let points = [[3, 3, 3, 3]; 3];
        assert_eq!(nms(&points, &[0.1, 0.2, 0.3], 0.0), [2, 1, 0]);
        assert_eq!(nms(&[[0, 0, 4, 4]; 2], &[1.0, 1.0], 1.0), [0, 1]);
        assert!(nms(&[], &[], 0.5).is_empty());
    }
}
