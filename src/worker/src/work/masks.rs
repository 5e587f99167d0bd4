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
    /// Digest of the photograph that it comes from, as in `pairs.json`.
    pub digest: String,
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

/// What to do where masks and images do not belong together.
const SAME_STAGE: &str = "make masks of the same `prepare` stage";

impl Masks {
    /// Opens the outputs of a `mask` stage and checks that they were made of the photographs of these pairs.
    pub fn open(folder: &Path, pairs: &Pairs) -> Result<Self, WorkError> {
        let list: MaskList = files::read_json(&folder.join("masks.json"))?;
        let ours = list.images.iter().map(|i| &i.name);
        if !ours.eq(pairs.list.pairs.iter().map(|p| &p.name)) {
            let message = format!("the masks in `{}` belong to other images", folder.display());
            return Err(WorkError::new(message, SAME_STAGE));
        }
        let mut both = list.images.iter().zip(&pairs.list.pairs);
        if let Some((image, _)) = both.find(|(image, pair)| image.digest != pair.digest) {
            let message = format!(
                "the masks in `{}` were made of another photograph that is called `{}` too: the digests differ",
                folder.display(),
                image.name
            );
            return Err(WorkError::new(message, SAME_STAGE));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        folder
    }

    #[test]
    fn masks_of_another_photograph_of_the_same_name_are_refused() {
        let pair = |name: &str, digest: &str| {
            format!(
                r#"{{"name":"{name}","hr":"h","lq":"l","width":4,"height":4,"digest":"{digest}","notes":[]}}"#
            )
        };
        let pairs = format!(
            r#"{{"degrade":{{"sr":2}},"seed":0,"pairs":[{},{}]}}"#,
            pair("a", "1"),
            pair("b", "2")
        );
        let pairs = folder("pairs.json", &pairs);
        let pairs = Pairs::open(pairs.path()).unwrap();
        let masks = |names: [(&str, &str); 2]| {
            let entry = |(name, digest)| {
                format!(
                    r#"{{"name":"{name}","digest":"{digest}","file":"f","found":1,"padded":0,"truncated":0}}"#
                )
            };
            let text = format!(r#"{{"count":1,"images":[{}]}}"#, names.map(entry).join(","));
            let folder = folder("masks.json", &text);
            Masks::open(folder.path(), &pairs).map(drop)
        };
        assert!(masks([("a", "1"), ("b", "2")]).is_ok());
        let other = masks([("a", "1"), ("b", "9")]).unwrap_err().to_string();
        assert!(
            other.contains("another photograph that is called `b` too"),
            "{other}"
        );
        let names = masks([("a", "1"), ("c", "2")]).unwrap_err().to_string();
        assert!(names.contains("belong to other images"), "{names}");
    }
}
