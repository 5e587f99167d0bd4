//! `mask`: the binary masks of each LQ image, and who makes them.
//! Unaware of what a segmenter computes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sam::Sam;
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
