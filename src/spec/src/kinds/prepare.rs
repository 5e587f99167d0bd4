//! `prepare`: images of folders become HR/LR pairs.
//! Unaware of how an image is read or degraded.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `prepare`: images of a folder become HR/LR pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Folder of the HR (or clean) images: PNG and JPEG, 8 or 16 bit.
    pub images: PathBuf,
    /// Folder of existing LR images, named as the HR ones or with `x<scale>` behind the name.
    #[serde(default)]
    pub lr: Option<PathBuf>,
    /// The same, where that folder exists; where it does not, LR images are made.
    #[serde(default)]
    pub lr_if_present: Option<PathBuf>,
    /// What is done to them.
    pub degrade: Degrade,
    /// Only these files of the folder, by name; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// Seed of the evaluation noise, the same for every image as in ART's test code; only with `denoise`.
    #[serde(default)]
    pub seed: u32,
    /// The name in tables; the folder's own (or its parent's, if that is `HR`) when absent. Not in the key.
    #[serde(default)]
    pub name: Option<String>,
}

impl Prepare {
    /// The folder of LR images to use, if there is one. Looks whether `lr_if_present` exists.
    pub fn lr_folder(&self, exists: impl Fn(&std::path::Path) -> bool) -> Option<&PathBuf> {
        let maybe = self.lr_if_present.as_ref().filter(|path| exists(path));
        self.lr.as_ref().or(maybe)
    }
}

/// The degradation (METHOD: degradations).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Degrade {
    /// MATLAB's bicubic at this scale: 2, 3 or 4.
    Sr(u32),
    /// Gaussian noise of this standard deviation on 0–255.
    Denoise(f64),
}

impl Degrade {
    /// HR pixels per LQ pixel along a side.
    pub const fn scale(self) -> u32 {
        match self {
            Self::Sr(scale) => scale,
            Self::Denoise(_) => 1,
        }
    }
}
