//! `segmenter: {other: …}`: the masks of the next image, fitted by the nearest pixel.
//! Unaware of who made them.

use pixels::{MaskStack, Rle};
use spec::segmenters::Other;

use super::stage::{Segment, Stage};
use crate::work::masks::Masks;
use crate::work::{WorkError, files};

pub(super) struct Maker<'a> {
    masks: Masks,
    stage: &'a Stage<'a>,
}

impl<'a> Maker<'a> {
    pub fn open(Other { masks: _ }: &Other, stage: &'a Stage<'a>) -> Result<Self, WorkError> {
        let folder = files::input(stage.job, "segmenter.other.masks")?;
        let masks = Masks::open(folder, &stage.images.pairs)?;
        if stage.images.len() < 2 {
            let message = "masks of another image need at least two images";
            let hint = "add images, or use `segmenter: zero`";
            return Err(WorkError::new(message, hint));
        }
        Ok(Self { masks, stage })
    }
}

impl Segment for Maker<'_> {
    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        let images = &self.stage.images;
        let (width, height) = images.size(at);
        let next = self.masks.stack((at + 1) % images.len())?;
        let masks = next.masks.iter().map(|m| fitted(m, width, height));
        self.stage.filled(at, masks.collect::<Result<_, _>>()?)
    }
}

/// A mask at another size, by the nearest pixel.
fn fitted(mask: &Rle, width: usize, height: usize) -> Result<Rle, WorkError> {
    let (from_w, from_h) = (mask.width(), mask.height());
    let bits = mask.to_bitmap();
    let mut out = vec![0; width * height];
    for y in 0..height {
        for x in 0..width {
            out[y * width + x] = bits[(y * from_h / height) * from_w + x * from_w / width];
        }
    }
    Ok(Rle::from_bitmap(&out, width, height)?)
}
