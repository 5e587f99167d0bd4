//! Masks on their way through the filters: those of one crop without their pixels, then those of the image with them.
//! Unaware of networks and of how masks are scanned.
//!
//! ```text
//!   seen in a crop ─ not cut off ─> candidates ─ suppression by box ─> found, with their masks ─ crops, clean-up ─> records
//! ```

use pixels::{PixelError, Rgb8, Rle};

use super::crops::{Box4, is_cut_off};
use super::error::SamError;
use super::nms::nms;
use super::scan::Seen;

/// A mask with all that is known of it, as in the official records.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskRecord {
    /// The mask, as large as the image.
    pub segmentation: Rle,
    /// Pixels inside.
    pub area: u64,
    /// Left, top, width and height in pixels; width and height are one less than the pixels they span.
    pub bbox: [i64; 4],
    /// The model's own estimate of the mask's IoU; it may exceed 1.
    pub predicted_iou: f32,
    /// The point that was asked for, x and y in pixels of the image.
    pub point_coords: [f64; 2],
    /// The share of the mask that a higher cut through the logits keeps of a lower one.
    pub stability_score: f32,
    /// Left, top, width and height of the crop the mask was found in.
    pub crop_box: [i64; 4],
}

/// A part of the image that is segmented by itself.
pub(super) struct Crop {
    pub at: Box4,
    pub layer: usize,
    /// Width and height of the whole image.
    pub image: (usize, usize),
}

impl Crop {
    /// Its pixels.
    pub fn cut(&self, image: &Rgb8) -> Result<Rgb8, SamError> {
        let [left, top, right, bottom] = self.at.map(|v| v as usize);
        image
            .crop(
                left,
                top,
                right.saturating_sub(left),
                bottom.saturating_sub(top),
            )
            .map_err(impossible)
    }

    /// What was seen of a mask of this crop, in the image's frame; nothing where the crop cut it off.
    pub fn candidate(&self, seen: &Seen, iou: f32, point: [f64; 2]) -> Option<Candidate> {
        let (x, y) = (self.at[0], self.at[1]);
        let [left, top, right, bottom] = seen.bbox.map(|v| v as i64);
        let bbox = [left + x, top + y, right + x, bottom + y];
        let (width, height) = self.image;
        (!is_cut_off(bbox, self.at, width, height)).then(|| Candidate {
            place: seen.place,
            bbox,
            iou,
            point: [point[0] + x as f64, point[1] + y as f64],
            stability: seen.stability,
            crop: self.at,
        })
    }

    /// A candidate of this crop with its mask, which is as large as the crop.
    pub fn found(&self, seen: Candidate, mask: Rle) -> Result<Found, SamError> {
        let (x, y) = (self.at[0] as usize, self.at[1] as usize);
        let (width, height) = self.image;
        let mask = if (mask.width(), mask.height()) == self.image {
            mask
        } else {
            mask.placed(x, y, width, height).map_err(impossible)?
        };
        Ok(Found { mask, seen })
    }
}

/// All that is known of a mask but for its pixels; boxes as left, top, right, bottom.
pub(super) struct Candidate {
    /// Where the mask is held.
    pub place: usize,
    pub bbox: Box4,
    pub iou: f32,
    point: [f64; 2],
    stability: f32,
    pub crop: Box4,
}

/// A mask, as large as the image.
pub(super) struct Found {
    pub mask: Rle,
    pub seen: Candidate,
}

impl Found {
    pub fn record(self) -> MaskRecord {
        let Self { mask, seen } = self;
        MaskRecord {
            area: mask.area(),
            segmentation: mask,
            bbox: with_size(seen.bbox),
            predicted_iou: seen.iou,
            point_coords: seen.point,
            stability_score: seen.stability,
            crop_box: with_size(seen.crop),
        }
    }
}

/// Left, top, width and height.
fn with_size([left, top, right, bottom]: Box4) -> [i64; 4] {
    [left, top, right - left, bottom - top]
}

/// What box suppression by `scores` leaves, best first.
pub(super) fn suppressed<T>(
    masks: Vec<T>,
    bbox: impl Fn(&T) -> Box4,
    scores: &[f32],
    threshold: f64,
) -> Vec<T> {
    let boxes: Vec<Box4> = masks.iter().map(bbox).collect();
    let mut masks: Vec<Option<T>> = masks.into_iter().map(Some).collect();
    let kept = nms(&boxes, scores, threshold);
    kept.into_iter().filter_map(|i| masks[i].take()).collect()
}

/// Sizes here come from the image itself, so they always fit; were they not to, this says so.
#[expect(clippy::needless_pass_by_value, reason = "a `map_err` function")]
pub(super) fn impossible(error: PixelError) -> SamError {
    SamError::Params {
        reason: format!("a mask does not fit its image: {error}"),
    }
}
