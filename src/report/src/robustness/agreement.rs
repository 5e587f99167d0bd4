//! The agreement of two stacks of masks of one scene, the first smaller by a whole factor.
//! Unaware of files and tables.

use pixels::{MaskStack, PixelError, Rle};

/// How well the masks of an LQ image and its HQ image agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Masks of the LQ image.
    pub lq: usize,
    /// Masks of the HQ image.
    pub hq: usize,
    /// The mean over LQ masks of the IoU with their best match among the HQ masks; none where one side has no mask.
    pub lq_in_hq: Option<f64>,
    /// The mean over HQ masks of the IoU with their best match among the LQ masks.
    pub hq_in_lq: Option<f64>,
    /// The share of LQ masks whose best match has an IoU of at least 0.5.
    pub matched: Option<f64>,
}

/// Compares the masks; those of `lq` are enlarged to the size of `hq`, each pixel to a square.
/// Errors: [`PixelError::Runs`] where the sizes have no whole factor.
pub fn agreement(lq: &MaskStack, hq: &MaskStack) -> Result<Agreement, PixelError> {
    let factor = hq.width / lq.width.max(1);
    let size = |stack: &MaskStack| (stack.width, stack.height);
    if factor == 0 || size(hq) != (lq.width * factor, lq.height * factor) {
        let reason = format!(
            "masks of {}x{} are not those of its LQ image",
            lq.width, lq.height
        );
        return Err(PixelError::Runs {
            size: size(hq),
            reason,
        });
    }
    let large: Vec<Rle> = lq
        .masks
        .iter()
        .map(|m| m.enlarged(factor))
        .collect::<Result<_, _>>()?;
    let mut best = (vec![0.0_f64; large.len()], vec![0.0_f64; hq.masks.len()]);
    for (i, a) in large.iter().enumerate() {
        for (j, b) in hq.masks.iter().enumerate() {
            let iou = a.iou(b);
            best.0[i] = best.0[i].max(iou);
            best.1[j] = best.1[j].max(iou);
        }
    }
    let both = !best.0.is_empty() && !best.1.is_empty();
    let mean = |values: &[f64]| both.then(|| values.iter().sum::<f64>() / values.len() as f64);
    let matched = best.0.iter().filter(|iou| **iou >= 0.5).count();
    Ok(Agreement {
        lq: best.0.len(),
        hq: best.1.len(),
        lq_in_hq: mean(&best.0),
        hq_in_lq: mean(&best.1),
        matched: both.then(|| matched as f64 / best.0.len() as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stack of masks given as rectangles: left, top, right, bottom.
    fn stack(width: usize, height: usize, boxes: &[[usize; 4]]) -> MaskStack {
        let mask = |[l, t, r, b]: &[usize; 4]| {
            let inside = |i: usize| {
                let (x, y) = (i % width, i / width);
                u8::from((*l..*r).contains(&x) && (*t..*b).contains(&y))
            };
            let bits: Vec<u8> = (0..width * height).map(inside).collect();
            Rle::from_bitmap(&bits, width, height).unwrap()
        };
        MaskStack::new(width, height, 64, boxes.iter().map(mask).collect()).unwrap()
    }

    #[test]
    fn masks_that_are_the_same_but_smaller_agree_fully() {
        let lq = stack(6, 5, &[[0, 0, 3, 5], [4, 1, 6, 4]]);
        let hq = stack(18, 15, &[[12, 3, 18, 12], [0, 0, 9, 15]]);
        let found = agreement(&lq, &hq).unwrap();
        let one = Some(1.0);
        assert_eq!(
            (found.lq_in_hq, found.hq_in_lq, found.matched),
            (one, one, one)
        );
    }

    #[test]
    fn each_mask_takes_its_best_match_and_may_share_it() {
        // LQ: the left half and a corner. HQ: the left half alone, at twice the size.
        let lq = stack(4, 4, &[[0, 0, 2, 4], [0, 0, 1, 1]]);
        let hq = stack(8, 8, &[[0, 0, 4, 8]]);
        let found = agreement(&lq, &hq).unwrap();
        assert_eq!((found.lq, found.hq), (2, 1));
        assert_eq!(found.lq_in_hq, Some(f64::midpoint(1.0, 4.0 / 32.0)));
        assert_eq!((found.hq_in_lq, found.matched), (Some(1.0), Some(0.5)));
    }

    #[test]
    fn a_side_without_masks_has_no_agreement_and_other_images_are_an_error() {
        let (some, none) = (stack(4, 4, &[[0, 0, 2, 2]]), stack(8, 8, &[]));
        let found = agreement(&some, &none).unwrap();
        assert_eq!(
            (found.lq_in_hq, found.hq_in_lq, found.matched),
            (None, None, None)
        );
        for other in [stack(9, 8, &[]), stack(2, 2, &[])] {
            assert!(agreement(&some, &other).is_err());
        }
    }
}
