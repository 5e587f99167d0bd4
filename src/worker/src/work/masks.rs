//! The masks a `mask` stage leaves, and how they are read again.
//! Unaware of who made them.

use std::path::{Path, PathBuf};

use artifacts::MaskList;
use pixels::MaskStack;

use super::WorkError;
use super::pairs::Pairs;

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
        let list = MaskList::read(folder)?;
        let ours = list.images.iter().map(|i| &i.name);
        if !ours.eq(pairs.list.pairs.iter().map(|p| &p.name)) {
            let message = format!(
                "the masks in `{}` belong to other images",
                ::files::Name(folder)
            );
            return Err(WorkError::new(message, SAME_STAGE));
        }
        let mut both = list.images.iter().zip(&pairs.list.pairs);
        if let Some((image, _)) = both.find(|(image, pair)| image.digest != pair.digest) {
            let message = format!(
                "the masks in `{}` were made of another photograph that is called `{}` too: the digests differ",
                ::files::Name(folder),
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
