//! `segmenter: {files: …}`: masks that others made, read from a folder.
//! Unaware of the forms that a file may have; `pixels` knows them.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use pixels::{MaskFolder, MaskRead, MaskStack, Reading};
use spec::names::MaskReading;
use spec::segmenters::Files;

use super::stage::{Segment, Stage};
use crate::work::WorkError;
use crate::work::outside::Reader;

pub(super) struct Maker<'a> {
    path: &'a Path,
    reading: MaskRead,
    folder: MaskFolder,
    /// Mask files with losses, which were divided at half.
    halved: AtomicUsize,
    stage: &'a Stage<'a>,
}

impl<'a> Maker<'a> {
    pub fn open(Files { path, read }: &'a Files, stage: &'a Stage<'a>) -> Result<Self, WorkError> {
        Ok(Self {
            path,
            reading: reading(*read),
            folder: MaskFolder::open(path)?,
            halved: AtomicUsize::new(0),
            stage,
        })
    }
}

impl Segment for Maker<'_> {
    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        let images = &self.stage.images;
        let reader = Reader::new(&self.stage.job.outside);
        let read = self.folder.read_by(
            &|path, most| reader.read(path, most),
            images.name(at),
            images.size(at),
            self.reading,
        )?;
        self.halved.fetch_add(read.halved, Ordering::Relaxed);
        self.stage.filled(at, read.masks)
    }

    fn notes(&self) -> Vec<String> {
        let halved = match self.halved.load(Ordering::Relaxed) {
            0 => None,
            1 => Some("1 mask file is".to_owned()),
            n => Some(format!("{n} mask files are")),
        };
        let halved = halved.map(|files| {
            format!(
                "{files} stored with losses (JPEG): inside is what is at least half as bright as white; `read:` beside \
                 `path` chooses otherwise"
            )
        });
        self.folder
            .left
            .said(self.path)
            .into_iter()
            .chain(halved)
            .collect()
    }
}

/// The same choice in the words of the crate that reads.
const fn reading(wanted: Option<MaskReading>) -> MaskRead {
    match wanted {
        None => MaskRead::Auto,
        Some(MaskReading::Nonzero) => MaskRead::By(Reading::Nonzero),
        Some(MaskReading::Half) => MaskRead::By(Reading::Half),
        Some(MaskReading::Alpha) => MaskRead::By(Reading::Alpha),
        Some(MaskReading::Index) => MaskRead::By(Reading::Index),
    }
}
