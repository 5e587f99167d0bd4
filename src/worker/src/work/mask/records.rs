//! Which of SAM's masks are kept, in which order, and what is written of them (`artifacts::MaskRecords`).
//! Unaware of how the masks came about.

use std::cmp::Reverse;

use artifacts::MaskRecords;
use spec::names::MaskOrder;

use crate::nn::sam::MaskRecord;

/// The first `count` of the records.
pub(super) fn records(masks: &[MaskRecord], count: usize) -> MaskRecords {
    let record = |mask: &MaskRecord| artifacts::MaskRecord {
        area: mask.area,
        bbox: mask.bbox,
        predicted_iou: mask.predicted_iou,
        stability_score: mask.stability_score,
        point_coords: mask.point_coords,
        crop_box: mask.crop_box,
    };
    MaskRecords {
        masks: masks.iter().take(count).map(record).collect(),
    }
}

/// The masks that are not empty, in the order in which they are taken. Among equals the generator's order stays.
pub(super) fn ordered(mut masks: Vec<MaskRecord>, order: MaskOrder) -> Vec<MaskRecord> {
    masks.retain(|mask| !mask.segmentation.is_empty());
    match order {
        MaskOrder::Generator => {}
        MaskOrder::Area => masks.sort_by_key(|mask| Reverse(mask.area)),
        MaskOrder::PredictedIou => {
            masks.sort_by(|a, b| b.predicted_iou.total_cmp(&a.predicted_iou));
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use pixels::Rle;

    use super::*;

    fn mask(pixels: u32, predicted_iou: f32) -> MaskRecord {
        let segmentation = Rle::new(4, 1, &[0, pixels, 4 - pixels]).unwrap();
        MaskRecord {
            area: segmentation.area(),
            segmentation,
            bbox: [0; 4],
            predicted_iou,
            point_coords: [0.5; 2],
            stability_score: 1.0,
            crop_box: [0; 4],
        }
    }

    #[test]
    fn the_order_is_the_one_asked_for_and_empty_masks_are_none() {
        let all = || vec![mask(1, 0.9), mask(0, 0.99), mask(3, 0.8), mask(3, 0.95)];
        let order = |order| -> Vec<f32> {
            let masks = ordered(all(), order);
            masks.iter().map(|m| m.predicted_iou).collect()
        };
        assert_eq!(order(MaskOrder::Generator), [0.9, 0.8, 0.95]);
        assert_eq!(order(MaskOrder::Area), [0.8, 0.95, 0.9]);
        assert_eq!(order(MaskOrder::PredictedIou), [0.95, 0.9, 0.8]);
    }
}
