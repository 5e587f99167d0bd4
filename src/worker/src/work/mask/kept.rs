//! Masks of single images as they are finished, in the stage's `state` folder: they outlive a kill, and become outputs
//! when all are there. Unaware of how masks are computed.
//!
//! ```text
//!   state/masks/<image>.masks, <image>.json ── all there: renamed ──> out/masks/
//!   state/entries/<image>.json   written last, with the digests of both and of itself: what is half-written or damaged is
//!                                noticed on reading, and segmented again
//! ```

use std::path::{Path, PathBuf};

use artifacts::{MaskEntry, MaskRecords, PairEntry};
use pixels::MaskStack;
use serde::{Deserialize, Serialize};
use spec::Job;
use store::{Digest, summed};

use crate::work::{WorkError, files};

/// The finished images of a stage.
pub(super) struct Kept {
    masks: PathBuf,
    entries: PathBuf,
}

/// What is kept of an image.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// All of it, as it was written for this very image.
    Whole(MaskEntry),
    /// Something that cannot be used, and why.
    Damaged(String),
    /// Nothing.
    Nothing,
}

/// More than the line of an image takes.
const LINE_BYTES: u64 = 16 << 20;

/// More than the masks of an image take.
const MASK_BYTES: u64 = 16 << 30;

/// `state/entries/<image>.json`.
#[derive(Serialize, Deserialize)]
struct Line {
    entry: MaskEntry,
    masks: String,
    records: String,
}

impl Kept {
    /// What an earlier try of this stage left, if there was one.
    pub fn open(job: &Job) -> Result<Self, WorkError> {
        Ok(Self {
            masks: files::make_folder(job.state.join("masks"))?,
            entries: files::make_folder(job.state.join("entries"))?,
        })
    }

    /// What is kept of an image.
    pub fn read(&self, image: &PairEntry) -> Found {
        let path = self.line(&image.name);
        if std::fs::symlink_metadata(&path).is_err() {
            return Found::Nothing;
        }
        match self.whole(&path, &image.name, &image.digest) {
            Ok(entry) => Found::Whole(entry),
            Err(why) => Found::Damaged(why),
        }
    }

    /// Whether what was kept with this entry is as it was written.
    pub fn check(&self, entry: &MaskEntry) -> Result<(), WorkError> {
        let whole = self.whole(&self.line(&entry.name), &entry.name, &entry.digest);
        whole.map(drop).map_err(|why| {
            WorkError::new(
                format!(
                    "the masks of `{}` were damaged after they were written: {why}",
                    entry.name
                ),
                "run again: they are segmented anew",
            )
        })
    }

    fn whole(&self, line: &Path, name: &str, digest: &str) -> Result<MaskEntry, String> {
        let bytes = ::files::read(line, LINE_BYTES).map_err(|e| e.to_string())?;
        let line: Line = summed::decode(&bytes)?;
        if (line.entry.name.as_str(), line.entry.digest.as_str()) != (name, digest) {
            return Err("it is of another image".into());
        }
        let [masks, records] = self.files(name);
        for (path, digest) in [(masks, &line.masks), (records, &line.records)] {
            let bytes = ::files::read(&path, MASK_BYTES).map_err(|e| e.to_string())?;
            if Digest::of(&bytes).to_string() != *digest {
                return Err("its bytes are not those that were written".into());
            }
        }
        Ok(line.entry)
    }

    /// Keeps the masks of an image and what SAM says of each.
    pub fn write(
        &self,
        entry: &MaskEntry,
        stack: &MaskStack,
        records: &MaskRecords,
    ) -> Result<(), WorkError> {
        let [masks_file, records_file] = self.files(&entry.name);
        stack.write(&masks_file)?;
        records.write(&masks_file)?;
        let digest = |path: &Path| {
            let bytes = std::fs::read(path).map_err(|e| WorkError::io("read", path, &e))?;
            Ok::<_, WorkError>(Digest::of(&bytes).to_string())
        };
        let line = Line {
            entry: entry.clone(),
            masks: digest(&masks_file)?,
            records: digest(&records_file)?,
        };
        let path = self.line(&entry.name);
        let bytes = summed::encode(&line).map_err(std::io::Error::from);
        files::write(
            &path,
            &bytes.map_err(|e| WorkError::io("write", &path, &e))?,
        )
    }

    /// Makes them the outputs. All images are finished.
    pub fn publish(&self, job: &Job) -> Result<(), WorkError> {
        let out = job.out.join("masks");
        std::fs::rename(&self.masks, &out).map_err(|e| WorkError::io("write", &out, &e))
    }

    fn line(&self, name: &str) -> PathBuf {
        self.entries.join(format!("{name}.json"))
    }

    fn files(&self, name: &str) -> [PathBuf; 2] {
        let masks = self.masks.join(format!("{name}.masks"));
        let records = MaskRecords::beside(&masks);
        [masks, records]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_whole_for_this_very_image_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept {
            masks: files::make_folder(folder.path().join("masks")).unwrap(),
            entries: files::make_folder(folder.path().join("entries")).unwrap(),
        };
        let text =
            r#"{"name":"a","hr":"h","lq":null,"width":4,"height":4,"digest":"1","notes":[]}"#;
        let image: PairEntry = serde_json::from_str(text).unwrap();
        let stack = MaskStack::new(4, 4, 2, Vec::new()).unwrap();
        let entry = super::super::output::entry(&image, &stack);
        assert_eq!(kept.read(&image), Found::Nothing);
        kept.write(&entry, &stack, &MaskRecords::default()).unwrap();
        assert_eq!(kept.read(&image), Found::Whole(entry.clone()));
        let other = PairEntry {
            digest: "2".into(),
            ..image.clone()
        };
        assert!(matches!(kept.read(&other), Found::Damaged(_)));
        for file in kept.files("a").into_iter().chain([kept.line("a")]) {
            let whole = std::fs::read(&file).unwrap();
            for length in 0..whole.len() {
                std::fs::write(&file, &whole[..length]).unwrap();
                let found = kept.read(&image);
                assert!(matches!(found, Found::Damaged(_)), "{}", file.display());
            }
            for bit in 0..whole.len() * 8 {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(&file, &flipped).unwrap();
                let found = kept.read(&image);
                assert!(matches!(found, Found::Damaged(_)), "{}", file.display());
            }
            std::fs::write(&file, &whole).unwrap();
        }
        assert_eq!(kept.read(&image), Found::Whole(entry));
    }
}
