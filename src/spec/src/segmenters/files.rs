//! `segmenter: {files: …}`: masks that others made.
//! Unaware of how a file is read.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter_kind::SegmenterKind;
use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::{Listing, Reads};
use crate::lines::{Lines, Tag};
use crate::names::MaskReading;

/// Masks that others made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MaskFiles")]
pub struct Files {
    /// The folder: for each image `<image>/*.png` (or JPEG, BMP, TIFF, WebP), or `<image>.json` with COCO run
    /// lengths as SAM's `amg.py` and SA-1B have them.
    pub path: PathBuf,
    /// Which pixels of an image file are inside; what its form leaves no doubt about when absent.
    #[serde(default)]
    pub read: Option<MaskReading>,
}

impl SegmenterKind for Files {
    const NAME: &'static str = "files";

    fn has_grid(&self) -> bool {
        false
    }

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.file("segmenter.files.path", &mut self.path, Listing::Masks);
    }

    fn check(&self, _: &Checker<'_>, _: &mut Problems) {}

    /// Without a choice a file is read in the one way that its form allows, as before there was one.
    fn lines(&self, lines: &mut Lines) {
        let Self { path: _, read } = self;
        lines.option(Tag::Result, "config.segmenter.read", *read);
    }

    /// Masks of PNG files were read in one way, whatever form they had: those that leave doubt are refused now, and
    /// palettes, transparency and JPEG files of that name are read by what they are. JSON, and files of other names, which
    /// were in no key, are as they were; with `read:` there is nothing from before.
    fn found(&self, names: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
        let mut png = names.filter(|name| matches!(name.rsplit_once('.'), Some((_, "png"))));
        if self.read.is_none() && png.next().is_some() {
            lines.put(Tag::Result, "decoder.masks", "by form");
        }
    }
}
