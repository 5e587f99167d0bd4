//! `evaluate`: a model on a set of images, and the metric protocol.
//! Unaware of how a metric is computed and of how images are cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::degrade::Degrade;
use super::reads::{Accepts, Reads};
use super::save::Save;
use super::stage_kind::StageKind;
use super::tiling::Tiling;
use super::tune::Tune;
use crate::around::Around;
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::{self, Labels};
use crate::lines::{Lines, Tag};
use crate::metrics::Metric;
use crate::names::{Luma, MetricChannel, Precision, Scheme};

/// `evaluate`: a model on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The network.
    pub model: String,
    /// The images.
    pub images: String,
    /// Their masks; needed by a model with SPT units.
    #[serde(default)]
    pub masks: Option<String>,
    /// What is measured.
    #[serde(default = "usual")]
    pub metrics: Vec<Metric>,
    /// What it is measured on; `y` for SR and `rgb` for denoising when absent.
    #[serde(default)]
    pub channel: Option<MetricChannel>,
    /// Pixels cut from each side first; the scale for SR and 0 for denoising when absent.
    #[serde(default)]
    pub shave: Option<u32>,
    /// How images are cut before they are restored: `official`, `none`, or a side in LQ pixels.
    #[serde(default)]
    pub tiling: Tiling,
    /// The numbers that the network computes with: `fp32`; `bf16` on CUDA and on processors with AVX512-BF16; `tf32` on CUDA.
    #[serde(default = "fp32")]
    pub precision: Precision,
    /// Which restored images are kept, as `restored/<name>.png`, for figures and the page: `true`, or the first so many.
    #[serde(default)]
    pub save: Save,
}

impl Evaluate {
    /// The channel PSNR and SSIM are computed on (METHOD: evaluation).
    pub fn luma(&self, degrade: Degrade) -> Luma {
        let own = self.channel.map(MetricChannel::luma);
        own.unwrap_or(match degrade {
            Degrade::Sr(_) => Luma::Unrounded,
            Degrade::Denoise(_) => Luma::Rgb,
        })
    }

    /// Pixels cut from each side.
    pub fn shave(&self, degrade: Degrade) -> u32 {
        self.shave.unwrap_or(match degrade {
            Degrade::Sr(scale) => scale,
            Degrade::Denoise(_) => 0,
        })
    }
}

const fn fp32() -> Precision {
    Precision::Fp32
}

fn usual() -> Vec<Metric> {
    Metric::USUAL.to_vec()
}

impl StageKind for Evaluate {
    const NAME: &'static str = "evaluate";

    /// 1: first; 2: `summary.json` says the tiling; 3: large images with channels innermost on the CPU.
    const VERSION: u32 = 3;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.stage("model", &self.model, Accepts::Model);
        reads.stage("images", &self.images, Accepts::Images);
        reads.option("masks", self.masks.as_ref(), Accepts::Masks);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Evaluation]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let Some(model) = checker.input("model") else {
            return;
        };
        let Some(backbone) = checker.network(&model) else {
            return;
        };
        checker.images_fit("images", backbone.scale(), problems);
        let tune = model.config::<Tune>();
        let spt = tune.is_some_and(|tune| tune.scheme == Scheme::Spt);
        checker.masks_fit("masks", "images", spt, problems);
        let tuned = model.input("masks").and_then(|m| m.masks());
        if let (Some((a, _)), Some(b)) = (tuned, checker.mask_count("masks")) {
            checker.need(
                a == b,
                "masks",
                || format!("{b} masks an image, but the model was tuned with {a}"),
                problems,
            );
        }
        let all: Vec<&str> = Metric::ALL.iter().map(|m| m.as_str()).collect();
        let metrics = !self.metrics.is_empty();
        checker.need(
            metrics,
            "metrics",
            || format!("give at least one of {}", all.join(", ")),
            problems,
        );
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["metrics.csv", "summary.json"]
    }

    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
            model: _,
            images: _,
            masks: _,
            metrics,
            channel: _,
            shave: _,
            tiling,
            precision,
            save,
        } = self;
        let degrade = around.degrade();
        let mut metrics: Vec<&str> = metrics.iter().map(|m| m.as_str()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        lines.put(Tag::Result, "config.metrics", metrics.join(" "));
        lines.put(Tag::Result, "config.luma", self.luma(degrade));
        lines.put(Tag::Result, "config.shave", self.shave(degrade));
        lines.put(Tag::Result, "config.tiling", tiling);
        lines.put(Tag::Result, "config.save", save);
        let low = (*precision != Precision::Fp32).then_some(precision);
        lines.option(Tag::Result, "config.precision", low);
    }

    fn numerics(&self) -> Option<Tag> {
        Some(Tag::Result)
    }

    fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        let low = self.precision != Precision::Fp32;
        low.then_some(("precision", self.precision.as_str()))
    }

    /// Those of its set, model and masks, the axes of the sweeps that it comes from, and how it measures.
    fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
        let [images, model, masks] = ["images", "model", "masks"].map(|role| around.input(role));
        for stage in [&images, &model, &Some(*around)].into_iter().flatten() {
            labels.extend(stage.axes().iter().cloned());
        }
        match &masks {
            Some(masks) => labels.extend(masks.labels()),
            None => labels::no_masks(labels),
        }
        for stage in [&images, &model].into_iter().flatten() {
            labels.extend(stage.labels());
        }
        let degrade = around.degrade();
        labels.insert("luma".into(), self.luma(degrade).to_string());
        labels.insert("tiling".into(), self.tiling.to_string());
        // Absent in float32, as before there was a choice: tables have labels in their keys.
        if self.precision != Precision::Fp32 {
            let precision = self.precision.to_string();
            labels.insert("evaluation_precision".into(), precision);
        }
        match degrade {
            Degrade::Sr(scale) => labels.insert("scale".into(), format!("×{scale}")),
            Degrade::Denoise(sigma) => labels.insert("sigma".into(), sigma.to_string()),
        };
    }
}
