//! The pairs a `prepare` stage leaves, and how they are read again: HR and LQ of each image.
//! Unaware of training and evaluation.

use std::path::{Path, PathBuf};

use artifacts::PairList;
use pixels::{Rgb8, noisy_chw_f32, read_rgb8};
use spec::kinds::Degrade;

use super::WorkError;

/// The pairs of a `prepare` stage.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    folder: PathBuf,
    /// The list.
    pub list: PairList,
}

/// An LQ image as networks see it: CHW in [0, 1], not clipped with noise.
#[derive(Clone, Debug, PartialEq)]
pub struct LqImage {
    /// 3 × height × width.
    pub chw: Vec<f32>,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

impl Pairs {
    /// Opens the outputs of a `prepare` stage.
    pub fn open(folder: &Path) -> Result<Self, WorkError> {
        Ok(Self {
            folder: folder.to_owned(),
            list: PairList::read(folder)?,
        })
    }

    /// The HR image of pair `at`.
    pub fn hr(&self, at: usize) -> Result<Rgb8, WorkError> {
        Ok(read_rgb8(&self.folder.join(&self.list.pairs[at].hr))?.image)
    }

    /// The LR image of pair `at` in 8 bits; with noise the noisy image, clipped, which is what a segmenter sees.
    pub fn lq_8bit(&self, at: usize) -> Result<Rgb8, WorkError> {
        if let Some(lq) = &self.list.pairs[at].lq {
            return Ok(read_rgb8(&self.folder.join(lq))?.image);
        }
        let lq = self.lq(at)?;
        Ok(Rgb8::from_chw_f32(&lq.chw, lq.width, lq.height)?)
    }

    /// The LQ image of pair `at`.
    pub fn lq(&self, at: usize) -> Result<LqImage, WorkError> {
        let image = match self.list.degrade {
            Degrade::Sr(_) => self.lq_8bit(at)?,
            Degrade::Denoise(_) => self.hr(at)?,
        };
        let chw = match self.list.degrade {
            Degrade::Sr(_) => image.to_chw_f32(),
            Degrade::Denoise(sigma) => noisy_chw_f32(&image, sigma, self.list.seed),
        };
        Ok(LqImage {
            chw,
            width: image.width,
            height: image.height,
        })
    }
}
