//! `segmenter: graph`: Felzenszwalb–Huttenlocher graph segmentation at three scales.
//! Unaware of how it computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter_kind::SegmenterKind;
use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::Reads;
use crate::lines::{Lines, Tag};

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

impl SegmenterKind for Graph {
    const NAME: &'static str = "graph";

    fn has_grid(&self) -> bool {
        true
    }

    fn reads(&mut self, _: &mut Reads<'_>) {}

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let sigma = self.sigma.unwrap_or(1.0);
        checker.need(
            (0.0..=10.0).contains(&sigma),
            "segmenter.graph.sigma",
            || format!("{sigma} is not in 0..=10"),
            problems,
        );
        let [a, b, c] = self.k.unwrap_or([1.0, 2.0, 3.0]);
        let rising = a > 0.0 && a < b && b < c && c.is_finite();
        checker.need(
            rising,
            "segmenter.graph.k",
            || "three increasing positive numbers".into(),
            problems,
        );
    }

    fn lines(&self, lines: &mut Lines) {
        let Self { sigma, k, min_size } = self;
        let k = k.map(|[a, b, c]| format!("{a} {b} {c}"));
        lines.option(Tag::Result, "config.segmenter.sigma", *sigma);
        lines.option(Tag::Result, "config.segmenter.k", k);
        lines.option(Tag::Result, "config.segmenter.min_size", *min_size);
    }
}
