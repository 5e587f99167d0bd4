//! `pairs.json` of a `prepare` stage: HR and LQ of each image.
//! Unaware of pixels.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spec::kinds::Degrade;

use crate::{Result, json};

/// The file's name.
pub const FILE: &str = "pairs.json";

/// `pairs.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairList {
    /// What was done to the images.
    pub degrade: Degrade,
    /// Seed of the noise; the same for every image.
    pub seed: u32,
    /// The pairs in the order of their names.
    pub pairs: Vec<PairEntry>,
}

/// One pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairEntry {
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

impl PairList {
    /// Where it lies in the folder of a `prepare` stage.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    /// The bytes of all its images as 8-bit RGB: HR images, and LQ images where there are files of them.
    pub fn decoded_bytes(&self) -> u64 {
        self.pairs.iter().map(|pair| self.bytes_of(pair)).sum()
    }

    /// The same of one pair.
    pub fn bytes_of(&self, pair: &PairEntry) -> u64 {
        let (scale, has_lq) = match self.degrade {
            Degrade::Sr(scale) => (u64::from(scale), 1),
            Degrade::Denoise(_) => (1, 0),
        };
        3 * pair.width as u64 * pair.height as u64 * (scale * scale + has_lq)
    }

    /// Reads that of the `prepare` stage with this folder.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn read(folder: &Path) -> Result<Self> {
        json::read(&Self::path(folder))
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        json::write(&Self::path(folder), self)
    }
}
