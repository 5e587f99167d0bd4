//! Masks of single images as they are finished, in the stage's `state` folder: they outlive a kill, and become outputs
//! when all are there. Unaware of how masks are computed.
//!
//! ```text
//!   state/masks/<image>.masks, <image>.json ── all there: renamed ──> out/masks/
//!   state/entries/<image>.json   written last, with the digests of both: half-written files are noticed, not flushed
//! ```

use std::path::{Path, PathBuf};

use pixels::MaskStack;
use serde::{Deserialize, Serialize};
use spec::Job;
use store::Digest;

use super::records::Records;
use crate::work::masks::MaskEntry;
use crate::work::pairs::PairEntry;
use crate::work::{WorkError, files};

/// The finished images of a stage.
pub(super) struct Kept {
    masks: PathBuf,
    entries: PathBuf,
}

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

    /// The entry of an image that is finished and whole.
    pub fn read(&self, image: &PairEntry) -> Option<MaskEntry> {
        let line: Line = files::read_json(&self.line(&image.name)).ok()?;
        let [masks, records] = self.files(&image.name);
        let is_whole = line.entry.digest == image.digest
            && digest(&masks)? == line.masks
            && digest(&records)? == line.records;
        is_whole.then_some(line.entry)
    }

    /// Keeps the masks of an image and what SAM says of each.
    pub fn write(
        &self,
        entry: &MaskEntry,
        stack: &MaskStack,
        records: &Records,
    ) -> Result<(), WorkError> {
        let [masks_file, records_file] = self.files(&entry.name);
        stack.write(&masks_file)?;
        files::write_json(&records_file, records)?;
        let digest = |path: &Path| {
            let missing = || std::io::ErrorKind::NotFound.into();
            digest(path).ok_or_else(|| WorkError::io("read", path, &missing()))
        };
        let line = Line {
            entry: entry.clone(),
            masks: digest(&masks_file)?,
            records: digest(&records_file)?,
        };
        files::write_json(&self.line(&entry.name), &line)
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
        ["masks", "json"].map(|ending| self.masks.join(format!("{name}.{ending}")))
    }
}

fn digest(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(Digest::of(&bytes).to_string())
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
        assert_eq!(kept.read(&image), None);
        kept.write(&entry, &stack, &Records::new(&[], 2)).unwrap();
        assert_eq!(kept.read(&image), Some(entry.clone()));
        let other = PairEntry {
            digest: "2".into(),
            ..image.clone()
        };
        assert_eq!(kept.read(&other), None);
        for file in kept.files("a").into_iter().chain([kept.line("a")]) {
            let whole = std::fs::read(&file).unwrap();
            std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
            assert_eq!(kept.read(&image), None, "{}", file.display());
            std::fs::write(&file, &whole).unwrap();
        }
        assert_eq!(kept.read(&image), Some(entry));
    }
}
