//! The schedule that `train` and `tune` share: how long a training runs, and by which rule.
//! Unaware of what is trained and of how a step is computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::degrade::Degrade;
use super::reads::{Accepts, Reads};
use crate::checker::Checker;
use crate::error::Problems;
use crate::lines::{Lines, Tag};
use crate::names::{Loss, Precision, Weights};

/// How long a training runs and by which rule; the defaults are the paper's (METHOD: tuning).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// How many iterations; one of this and `until`.
    pub iterations: Option<u64>,
    /// When to stop instead.
    pub until: Option<Until>,
    /// Patches a forward and backward pass.
    pub batch: u32,
    /// Passes whose mean gradient makes one iteration: `batch` times this many patches, in the memory of `batch`.
    pub accumulate: u32,
    /// Side of a patch in LQ pixels; 64 for SR and 128 for denoising when absent.
    pub patch: Option<u32>,
    /// Learning rate of Adam.
    pub lr: f64,
    /// Iterations after which the learning rate is halved, again and again.
    pub halve_every: u64,
    /// Adam's betas.
    pub betas: [f64; 2],
    /// The loss, on the unclamped output.
    pub loss: Loss,
    /// Numbers that training computes with. Validation is in `fp32`, but with `tf32`, which holds for the whole stage; an
    /// `evaluate` stage has its own.
    pub precision: Precision,
    /// Whether images and features lie in memory with their channels innermost, as ART and CAT always have them; when
    /// absent, as the processor is fastest with. Moves the last bits.
    pub channels_last: Option<bool>,
    /// Flips and rotations by 90°, 180°, 270°.
    pub augment: bool,
    /// Seed of initialisation, patches and noise.
    pub seed: u64,
    /// PSNR on images of its own while it runs.
    pub validate: Option<Validate>,
    /// Which weights are handed on; `best` where there is a validation, else `last`.
    pub weights: Option<Weights>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            iterations: None,
            until: None,
            batch: 4,
            accumulate: 1,
            patch: None,
            lr: 1e-4,
            halve_every: 5000,
            betas: [0.9, 0.999],
            loss: Loss::L1,
            precision: Precision::Fp32,
            channels_last: None,
            augment: true,
            seed: 0,
            validate: None,
            weights: None,
        }
    }
}

impl Schedule {
    /// The most iterations there can be.
    pub fn limit(&self) -> u64 {
        match (self.iterations, &self.until) {
            (Some(n), _) => n,
            (None, Some(Until::Converged { at_most, .. })) => *at_most,
            (None, None) => 0,
        }
    }

    /// Patches an iteration.
    pub const fn patches(&self) -> u32 {
        self.batch * self.accumulate
    }

    /// Which weights are handed on.
    pub const fn weights(&self) -> Weights {
        match (self.weights, &self.validate) {
            (Some(weights), _) => weights,
            (None, Some(_)) => Weights::Best,
            (None, None) => Weights::Last,
        }
    }

    /// What a training that was stopped does when it is run again.
    pub(super) const AFTER_STOP: &'static str = "training goes on from its last checkpoint";
    /// How a training takes less memory.
    pub(super) const LESS_MEMORY: &'static str = "lower `batch` or `patch`";

    /// The precision, where it is not float32.
    pub(super) fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        let low = self.precision != Precision::Fp32;
        low.then_some(("precision", self.precision.as_str()))
    }

    /// Tells what it reads.
    pub(super) fn reads(&self, reads: &mut Reads<'_>) {
        if let Some(validate) = &self.validate {
            reads.stage("validate.images", &validate.images, Accepts::Images);
            let masks = validate.masks.as_ref();
            reads.option("validate.masks", masks, Accepts::Masks);
        }
    }

    /// What is wrong with it, for a network of this scale, with SPT units or without.
    pub(super) fn check(
        &self,
        scale: u32,
        spt: bool,
        checker: &Checker<'_>,
        problems: &mut Problems,
    ) {
        let one = self.iterations.is_some() != self.until.is_some();
        checker.need(
            one,
            "iterations",
            || "give one of `iterations` and `until`".into(),
            problems,
        );
        let patch = self.patch.unwrap_or(64);
        let until = self.until.as_ref().map(|until| match until {
            Until::Converged {
                patience,
                min_gain,
                at_most,
            } => (*patience, *min_gain, *at_most),
        });
        let [b1, b2] = self.betas;
        let betas = (0.0..1.0).contains(&b1) && (0.0..1.0).contains(&b2);
        let (from_1, side) = ("a whole number from 1", "a whole number from 8 to 4096");
        let up_to = "a whole number from 1 to 4096";
        let ranges = [
            ("iterations", self.iterations.unwrap_or(1) >= 1, from_1),
            ("batch", (1..=4096).contains(&self.batch), up_to),
            ("accumulate", (1..=4096).contains(&self.accumulate), up_to),
            ("patch", (8..=4096).contains(&patch), side),
            (
                "lr",
                self.lr > 0.0 && self.lr.is_finite(),
                "a number above 0",
            ),
            ("halve_every", self.halve_every >= 1, from_1),
            ("betas", betas, "two numbers from 0, below 1"),
            (
                "until.converged.patience",
                until.is_none_or(|u| u.0 >= 1),
                from_1,
            ),
            (
                "until.converged.min_gain",
                until.is_none_or(|u| u.1.is_finite() && u.1 >= 0.0),
                "a number from 0",
            ),
            (
                "until.converged.at_most",
                until.is_none_or(|u| u.2 >= 1),
                from_1,
            ),
            (
                "validate.every",
                self.validate.as_ref().is_none_or(|v| v.every >= 1),
                from_1,
            ),
        ];
        for (path, ok, range) in ranges {
            let message = || format!("out of range: expected {range}");
            checker.need(ok, path, message, problems);
        }
        self.check_validation(scale, spt, checker, problems);
    }

    fn check_validation(
        &self,
        scale: u32,
        spt: bool,
        checker: &Checker<'_>,
        problems: &mut Problems,
    ) {
        let has = self.validate.is_some();
        checker.need(
            has || self.until.is_none(),
            "until",
            || "convergence is judged on a validation: add `validate: {images: …}`".into(),
            problems,
        );
        checker.need(
            has || !matches!(self.weights, Some(Weights::Best | Weights::BestOrInitial)),
            "weights",
            || {
                format!(
                    "`{}` is judged on a validation: add `validate: {{images: …}}`",
                    self.weights()
                )
            },
            problems,
        );
        if !has {
            return;
        }
        checker.images_fit("validate.images", scale, problems);
        checker.masks_fit("validate.masks", "validate.images", spt, problems);
        let at = |role: &str| checker.input(role).map(|images| images.at());
        let own = at("images") != at("validate.images");
        checker.need(
            own,
            "validate.images",
            || "these are the images that are trained on".into(),
            problems,
        );
        if let (Some(a), Some(b)) = (
            checker.mask_count("masks"),
            checker.mask_count("validate.masks"),
        ) {
            checker.need(
                a == b,
                "validate.masks",
                || format!("{b} masks an image, but training has {a}"),
                problems,
            );
        }
    }

    /// Its lines, for images of this degradation.
    pub(super) fn put(&self, degrade: Degrade, lines: &mut Lines) {
        let Self {
            iterations,
            until,
            batch,
            accumulate,
            patch: _,
            lr,
            halve_every,
            betas: [beta1, beta2],
            loss,
            precision,
            channels_last,
            augment,
            seed,
            validate,
            weights: _,
        } = self;
        lines.option(Tag::Stop, "config.iterations", *iterations);
        if let Some(until) = until {
            until.put(lines);
        }
        lines.put(Tag::Stop, "config.weights", self.weights());
        lines.put(Tag::Result, "config.batch", batch);
        let many = (*accumulate != 1).then_some(accumulate);
        lines.option(Tag::Result, "config.accumulate", many);
        let low = (*precision != Precision::Fp32).then_some(precision);
        lines.option(Tag::Result, "config.precision", low);
        lines.option(Tag::Result, "config.channels_last", *channels_last);
        lines.put(Tag::Result, "config.patch", self.patch(degrade));
        lines.put(Tag::Result, "config.lr", lr);
        lines.put(Tag::Result, "config.halve_every", halve_every);
        lines.put(Tag::Result, "config.betas", format!("{beta1} {beta2}"));
        lines.put(Tag::Result, "config.loss", loss);
        lines.put(Tag::Result, "config.augment", augment);
        lines.put(Tag::Result, "config.seed", seed);
        if let Some(validate) = validate {
            let Validate {
                images: _,
                masks: _,
                every,
            } = validate;
            lines.put(Tag::Result, "config.validate.every", every);
        }
    }

    /// Side of a patch in LQ pixels for images of this degradation (paper §4.1).
    pub fn patch(&self, degrade: Degrade) -> u32 {
        self.patch.unwrap_or(match degrade {
            Degrade::Sr(_) => 64,
            Degrade::Denoise(_) => 128,
        })
    }
}

/// When a training without a number of iterations stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Until {
    /// After `patience` validations without a gain of `min_gain`.
    Converged {
        /// Validations.
        #[serde(default = "patience")]
        patience: u32,
        /// dB of PSNR.
        #[serde(default = "min_gain")]
        min_gain: f64,
        /// Iterations after which it stops all the same.
        #[serde(default = "at_most")]
        at_most: u64,
    },
}

impl Until {
    fn put(&self, lines: &mut Lines) {
        let Self::Converged {
            patience,
            min_gain,
            at_most,
        } = self;
        lines.put(Tag::Stop, "config.until.patience", patience);
        lines.put(Tag::Stop, "config.until.min_gain", min_gain);
        lines.put(Tag::Stop, "config.until.at_most", at_most);
    }
}

const fn patience() -> u32 {
    4
}

const fn min_gain() -> f64 {
    0.005
}

const fn at_most() -> u64 {
    100_000
}

/// PSNR on images that are not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The images.
    pub images: String,
    /// Their masks; needed by `scheme: spt`.
    #[serde(default)]
    pub masks: Option<String>,
    /// Iterations between validations.
    #[serde(default = "every")]
    pub every: u64,
}

const fn every() -> u64 {
    500
}
