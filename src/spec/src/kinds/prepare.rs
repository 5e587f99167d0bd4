//! `prepare`: images of folders become HR/LR pairs.
//! Unaware of how an image is read or degraded.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::datasets::{Datasets, Source};

/// `prepare`: images of a folder become HR/LR pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Folder of the HR (or clean) images: PNG, JPEG, BMP, TIFF and WebP, 8 or 16 bit.
    #[serde(default)]
    pub images: Option<PathBuf>,
    /// Instead of `images`: data sets by name below `root`, several of them joined. LR images that lie beside them are
    /// used.
    #[serde(default)]
    pub dataset: Datasets,
    /// The folder that holds the data sets.
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// Folder of existing LR images, named as the HR ones or as the common releases do (docs/images.md).
    #[serde(default)]
    pub lr: Option<PathBuf>,
    /// The same, where that folder exists; where it does not, LR images are made.
    #[serde(default)]
    pub lr_if_present: Option<PathBuf>,
    /// How LR images are named after HR ones, as `filename_tmpl` of BasicSR: `"{}x4"`, `"{}_LRBI_x4"`.
    #[serde(default)]
    pub names: Option<String>,
    /// Whether images of sub-folders are read too. What is called `sub/a.png` has the name `sub__a`.
    #[serde(default)]
    pub recursive: bool,
    /// What is done to them.
    pub degrade: Degrade,
    /// Only these files of the folder, by name; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// Seed of the evaluation noise, the same for every image as in ART's test code; only with `denoise`.
    #[serde(default)]
    pub seed: u32,
    /// The name in tables; the data sets', else the folder's own (or its parent's, if that is `HR`) when absent. Not in
    /// the key.
    #[serde(default)]
    pub name: Option<String>,
}

impl Prepare {
    /// The folders that images come from, in the order in which they are named.
    pub fn sources(&self) -> Vec<Source> {
        let scale = match self.degrade {
            Degrade::Sr(scale) => Some(scale),
            Degrade::Denoise(_) => None,
        };
        let root = self.root.as_deref().unwrap_or(Path::new(""));
        let named = self.dataset.0.iter();
        let named = named.flat_map(|d| d.facts().sources(root, scale));
        let own = self.images.iter().map(|hr| Source {
            dataset: None,
            hr: hr.clone(),
            lr: self.lr.clone().or_else(|| self.lr_if_present.clone()),
            needs_lr: self.lr.is_some(),
        });
        own.chain(named).collect()
    }

    /// The outside folders, each with its role in the key.
    pub(crate) fn outside(&self) -> Vec<(&'static str, Cow<'_, Path>)> {
        let own = [
            ("images", &self.images),
            ("lr", &self.lr),
            ("lr_if_present", &self.lr_if_present),
        ];
        let own = own.into_iter().filter_map(|(role, path)| {
            let path = path.as_deref()?;
            Some((role, Cow::Borrowed(path)))
        });
        let named = self.sources().into_iter().filter(|s| s.dataset.is_some());
        let named = named.flat_map(|source| {
            let lr = source.lr.map(|lr| ("lr_if_present", Cow::Owned(lr)));
            std::iter::once(("images", Cow::Owned(source.hr))).chain(lr)
        });
        own.chain(named).collect()
    }

    /// The field of the YAML that names an outside folder of this role.
    pub(crate) fn field_of(&self, role: &'static str) -> &'static str {
        if self.dataset.0.is_empty() {
            role
        } else {
            "dataset"
        }
    }

    /// Whether the file `name` of an outside folder is read: a data set or `only` may narrow a folder.
    pub fn reads(&self, role: &str, folder: &Path, name: &str) -> bool {
        if self.dataset.0.is_empty() {
            return role != "images" || self.only.is_empty() || self.only.iter().any(|o| o == name);
        }
        let here = |s: &Source| s.hr == folder || s.lr.as_deref() == Some(folder);
        let wanted = |s: &Source| s.dataset.is_some_and(|d| d.facts().has(name));
        self.sources().iter().any(|s| here(s) && wanted(s))
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
