//! `mask`: the binary masks of each LQ image, and who makes them.
//! Unaware of what a segmenter computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::download::Download;
use super::reads::{Accepts, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::Labels;
use crate::lines::{Lines, Tag};
use crate::names::{Granularity, PairImage};
use crate::segmenters::Segmenter;

/// The numbers of masks, `N_c`, that an image may have.
pub const MASKS: std::ops::RangeInclusive<u32> = 1..=4096;

/// Prompt points a side that a grid may have.
const GRIDS: std::ops::RangeInclusive<usize> = 1..=128;

/// `mask`: `N_c` binary masks for each image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// The images.
    pub images: String,
    /// Which of each pair is segmented; only masks of LQ images, as large as these, go into a network.
    #[serde(default = "lq")]
    pub source: PairImage,
    /// Prompt grid and number of masks.
    #[serde(default = "coarse")]
    pub granularity: Granularity,
    /// Prompt points a side, where it is not the granularity's.
    #[serde(default)]
    pub grid: Option<u32>,
    /// `N_c`, where it is not the granularity's.
    #[serde(default)]
    pub count: Option<u32>,
    /// Who makes the masks.
    #[serde(default)]
    pub segmenter: Segmenter,
}

impl Mask {
    /// Prompt points a side.
    pub fn grid(&self) -> usize {
        self.grid.map_or(self.granularity.grid(), |n| n as usize)
    }

    /// Whether the other makes masks in the same way, if of LQ where this one is of HQ images.
    pub fn same_but_of(&self, other: &Self) -> bool {
        let own = Self {
            source: other.source,
            images: other.images.clone(),
            ..self.clone()
        };
        own == *other
    }

    /// `N_c`.
    pub fn count(&self) -> usize {
        self.count.map_or(self.granularity.masks(), |n| n as usize)
    }

    /// What is out of range: the field and why. What its segmenter is told has checks of its own.
    pub fn wrong(&self) -> Vec<(&'static str, String)> {
        let (grid, count) = (self.grid(), self.count());
        let mut wrong = Vec::new();
        if !GRIDS.contains(&grid) {
            wrong.push(("grid", format!("{grid} is not in 1..={}", GRIDS.end())));
        }
        if !u32::try_from(count).is_ok_and(|count| MASKS.contains(&count)) {
            wrong.push(("count", format!("{count} is not in 1..={}", MASKS.end())));
        }
        wrong
    }
}

const fn lq() -> PairImage {
    PairImage::Lq
}

const fn coarse() -> Granularity {
    Granularity::Coarse
}

impl StageKind for Mask {
    const NAME: &'static str = "mask";

    /// 1: first; 2: digests of images in `masks.json`.
    const VERSION: u32 = 2;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        let start = self.segmenter.start_up();
        reads.tagged(start, |reads| {
            reads.stage("images", &self.images, Accepts::Images);
        });
        self.segmenter.reads(reads);
    }

    fn found(&self, _role: &str, names: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
        self.segmenter.found(names, lines);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Masks]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        for (field, message) in self.wrong() {
            problems.push(checker.problem(field, message));
        }
        self.segmenter.check(checker, problems);
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["masks.json"]
    }

    fn lines(&self, _: &Around<'_>, lines: &mut Lines) {
        // The granularity is its grid and its number of masks.
        let Self {
            images: _,
            source,
            granularity: _,
            grid: _,
            count: _,
            segmenter,
        } = self;
        let start = segmenter.start_up();
        // Masks of LQ images were there before there was a choice.
        // The words are those of manifests, which stay.
        let other = match source {
            PairImage::Lq => None,
            PairImage::Hq => Some("hr"),
        };
        lines.option(start, "config.of", other);
        lines.put(Tag::Result, "config.count", self.count());
        lines.put(start, "config.segmenter", segmenter.name());
        if segmenter.has_grid() {
            lines.put(Tag::Result, "config.grid", self.grid());
        }
        segmenter.lines(lines);
    }

    fn numerics(&self) -> Option<Tag> {
        let torch = self.segmenter.uses_torch();
        torch.then(|| self.segmenter.start_up())
    }

    fn masks(&self) -> Option<(usize, PairImage)> {
        Some((self.count(), self.source))
    }

    fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
        if let Some(images) = around.input("images") {
            labels.extend(images.labels());
        }
        labels.insert("granularity".into(), self.granularity.to_string());
        labels.insert("grid".into(), self.grid().to_string());
        labels.insert("segmenter".into(), self.segmenter.label());
        labels.insert("masks".into(), self.count().to_string());
    }

    fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        self.segmenter.low_precision()
    }

    fn after_stop(&self) -> &'static str {
        self.segmenter.after_stop()
    }

    fn download(&self) -> Option<Download<'_>> {
        self.segmenter.download()
    }
}
