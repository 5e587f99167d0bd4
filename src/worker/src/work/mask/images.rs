//! The images that are segmented: one of each pair.
//! Unaware of segmenters.

use std::path::Path;

use artifacts::PairEntry;
use pixels::Rgb8;
use spec::names::PairImage;

use crate::work::WorkError;
use crate::work::pairs::Pairs;

/// The LQ or the HR images of a `prepare` stage.
pub(super) struct Images {
    /// The pairs.
    pub pairs: Pairs,
    of: PairImage,
}

impl Images {
    /// Opens the outputs of a `prepare` stage.
    pub fn open(folder: &Path, of: PairImage) -> Result<Self, WorkError> {
        let pairs = Pairs::open(folder)?;
        Ok(Self { pairs, of })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.list.pairs.len()
    }

    /// The name of image `at`.
    pub fn name(&self, at: usize) -> &str {
        &self.entry(at).name
    }

    /// What is known of image `at`.
    pub fn entry(&self, at: usize) -> &PairEntry {
        &self.pairs.list.pairs[at]
    }

    /// Width and height of image `at` in pixels. HR images were cut to a multiple of the scale.
    pub fn size(&self, at: usize) -> (usize, usize) {
        let entry = self.entry(at);
        let scale = match self.of {
            PairImage::Lq => 1,
            PairImage::Hq => self.pairs.list.degrade.scale() as usize,
        };
        (entry.width * scale, entry.height * scale)
    }

    /// Image `at` in 8 bits.
    pub fn image(&self, at: usize) -> Result<Rgb8, WorkError> {
        match self.of {
            PairImage::Lq => self.pairs.lq_8bit(at),
            PairImage::Hq => self.pairs.hr(at),
        }
    }
}
