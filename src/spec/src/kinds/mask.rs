//! `mask`: the binary masks of each LQ image, and who makes them.
//! Unaware of what a segmenter computes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reads::{Accepts, Listing, Reads};
use super::sam::Sam;
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::lines::{Lines, Tag};
use crate::names::{Granularity, MaskReading, Of};

/// `mask`: `N_c` binary masks for each image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// The images.
    pub images: String,
    /// Which of each pair is segmented; only masks of LQ images, as large as these, go into a network.
    #[serde(default = "lq")]
    pub of: Of,
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
            of: other.of,
            images: other.images.clone(),
            ..self.clone()
        };
        own == *other
    }

    /// `N_c`.
    pub fn count(&self) -> usize {
        self.count.map_or(self.granularity.masks(), |n| n as usize)
    }
}

const fn lq() -> Of {
    Of::Lq
}

const fn coarse() -> Granularity {
    Granularity::Coarse
}

/// Who makes the masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Segmenter {
    /// Felzenszwalb–Huttenlocher graph segmentation at three scales; needs no weights.
    Graph(Graph),
    /// Segment Anything with a grid of points, from weights of others.
    Sam(Sam),
    /// Masks that others made.
    Files {
        /// The folder: for each image `<image>/*.png` (or JPEG, BMP, TIFF, WebP), or `<image>.json` with COCO run
        /// lengths as SAM's `amg.py` and SA-1B have them.
        path: PathBuf,
        /// Which pixels of an image file are inside; what its form leaves no doubt about when absent.
        #[serde(default)]
        read: Option<MaskReading>,
    },
    /// All masks empty: a control.
    Zero,
    /// The masks of the next image of the set, fitted to this one's size: a control.
    Other {
        /// Whose masks.
        masks: String,
    },
}

impl Default for Segmenter {
    fn default() -> Self {
        Self::Graph(Graph::default())
    }
}

impl Segmenter {
    /// The name in YAML and in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Graph(_) => "graph",
            Self::Sam(_) => "sam",
            Self::Files { .. } => "files",
            Self::Zero => "zero",
            Self::Other { .. } => "other",
        }
    }

    /// What its own lines determine that all of its stages have in common: those of SAM share a model and an embedding an
    /// image.
    const fn start_up(&self) -> Tag {
        match self {
            Self::Sam(_) => Tag::StartUp,
            Self::Graph(_) | Self::Files { .. } | Self::Zero | Self::Other { .. } => Tag::Result,
        }
    }

    /// Whether the masks depend on the regular grid of points.
    const fn has_grid(&self) -> bool {
        match self {
            Self::Graph(_) => true,
            Self::Sam(sam) => sam.point_grids.is_none(),
            Self::Files { .. } | Self::Zero | Self::Other { .. } => false,
        }
    }

    fn put(&self, lines: &mut Lines) {
        match self {
            Self::Graph(graph) => graph.put(lines),
            Self::Sam(sam) => sam.put(lines),
            // Without a choice a file is read in the one way that its form allows, as before there was one.
            Self::Files { path: _, read } => {
                lines.option(Tag::Result, "config.segmenter.read", *read);
            }
            Self::Zero | Self::Other { masks: _ } => {}
        }
    }

    /// The name in tables, which tells SAM's models apart.
    pub fn label(&self) -> String {
        match self {
            Self::Sam(sam) => format!("sam {}", sam.model.name()),
            other => other.name().into(),
        }
    }
}

/// Parameters of the graph segmenter; `None` means the segmenter's own default, which its version fixes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Graph {
    /// Standard deviation of the smoothing, in pixels.
    pub sigma: Option<f64>,
    /// The three scales of observation (part, object, whole), increasing.
    pub k: Option<[f64; 3]>,
    /// The smallest region, in pixels.
    pub min_size: Option<u32>,
}

impl Graph {
    fn put(&self, lines: &mut Lines) {
        let Self { sigma, k, min_size } = self;
        let k = k.map(|[a, b, c]| format!("{a} {b} {c}"));
        lines.option(Tag::Result, "config.segmenter.sigma", *sigma);
        lines.option(Tag::Result, "config.segmenter.k", k);
        lines.option(Tag::Result, "config.segmenter.min_size", *min_size);
    }
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
        match &mut self.segmenter {
            Segmenter::Other { masks } => {
                reads.stage("segmenter.other.masks", masks, Accepts::Masks);
            }
            Segmenter::Files { path, .. } => {
                reads.file("segmenter.files.path", path, Listing::Masks);
            }
            Segmenter::Sam(Sam { weights, .. }) => reads.tagged(start, |reads| {
                reads.file("segmenter.sam.weights", weights, Listing::File);
            }),
            Segmenter::Graph(_) | Segmenter::Zero => {}
        }
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Masks]
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["masks.json"]
    }

    fn lines(&self, _: &Around<'_>, lines: &mut Lines) {
        // The granularity is its grid and its number of masks.
        let Self {
            images: _,
            of,
            granularity: _,
            grid: _,
            count: _,
            segmenter,
        } = self;
        let start = segmenter.start_up();
        // Masks of LQ images were there before there was a choice.
        lines.option(start, "config.of", (*of != Of::Lq).then_some(of));
        lines.put(Tag::Result, "config.count", self.count());
        lines.put(start, "config.segmenter", segmenter.name());
        if segmenter.has_grid() {
            lines.put(Tag::Result, "config.grid", self.grid());
        }
        segmenter.put(lines);
    }

    fn numerics(&self) -> Option<Tag> {
        match &self.segmenter {
            Segmenter::Sam(_) => Some(Tag::StartUp),
            Segmenter::Graph(_)
            | Segmenter::Files { .. }
            | Segmenter::Zero
            | Segmenter::Other { .. } => None,
        }
    }
}
