//! The masks a `mask` stage leaves, and how they are read again.
//! Unaware of who made them.

use std::path::{Path, PathBuf};

use pixels::MaskStack;
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use super::{WorkError, files};
use crate::nn::sam::generator::Tally;

/// `masks.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MaskList {
    /// `N_c`, masks an image after padding or truncation.
    pub count: usize,
    /// The images, in the order of their pairs.
    pub images: Vec<MaskEntry>,
}

/// The masks of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MaskEntry {
    /// The image's name.
    pub name: String,
    /// The file, relative to the folder.
    pub file: String,
    /// Distinct masks found.
    pub found: usize,
    /// Empty masks added.
    pub padded: usize,
    /// Masks left out.
    pub truncated: usize,
    /// How many masks each of SAM's filters left, before empty ones were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}

impl MaskList {
    /// Distinct masks found an image.
    pub fn mean_found(&self) -> f64 {
        let sum: usize = self.images.iter().map(|i| i.found).sum();
        sum as f64 / self.images.len().max(1) as f64
    }
}

/// The masks of a `mask` stage.
#[derive(Clone, Debug)]
pub(super) struct Masks {
    folder: PathBuf,
    /// The list.
    pub list: MaskList,
}

impl Masks {
    /// Opens the outputs of a `mask` stage and checks that they belong to these pairs.
    pub fn open(folder: &Path, pairs: &Pairs) -> Result<Self, WorkError> {
        let list: MaskList = files::read_json(&folder.join("masks.json"))?;
        let ours = list.images.iter().map(|i| &i.name);
        if !ours.eq(pairs.list.pairs.iter().map(|p| &p.name)) {
            let message = format!("the masks in `{}` belong to other images", folder.display());
            return Err(WorkError::new(
                message,
                "make masks of the same `prepare` stage",
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            list,
        })
    }

    /// The masks of image `at`.
    pub fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        Ok(MaskStack::read(
            &self.folder.join(&self.list.images[at].file),
        )?)
    }
}
