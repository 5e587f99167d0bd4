//! The pairs a `prepare` stage leaves, and how they are read again: HR and LQ of each image.
//! Unaware of training and evaluation.

use std::path::{Path, PathBuf};

use pixels::{Rgb8, noisy_chw_f32, read_rgb8};
use serde::{Deserialize, Serialize};
use spec::kinds::Degrade;

use super::{WorkError, files};

/// `pairs.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PairList {
    /// What was done to the images.
    pub degrade: Degrade,
    /// Seed of the noise; the same for every image.
    pub seed: u32,
    /// The pairs in the order of their names.
    pub pairs: Vec<PairEntry>,
}

/// One pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PairEntry {
    /// The image's name without ending.
    pub name: String,
    /// The HR (clean) image, relative to the folder.
    pub hr: String,
    /// The LR image; none with noise, which is drawn on reading because it is not clipped to 8 bits.
    pub lq: Option<String>,
    /// Width of the LQ image in pixels.
    pub width: usize,
    /// Height of the LQ image in pixels.
    pub height: usize,
    /// Digest of the size and the RGB samples of the image before it was cropped: the same photograph has the same at
    /// every scale and in every file format without loss.
    pub digest: String,
    /// How the file was converted to 8-bit RGB.
    pub notes: Vec<String>,
}

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
            list: files::read_json(&folder.join("pairs.json"))?,
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
