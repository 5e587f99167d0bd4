//! `figure`: crops of restored images side by side.
//! Unaware of how a picture is drawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evaluate::Evaluate;
use super::reads::{Accepts, Reads};
use super::save::Save;
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::behind::{self, Behind};
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::Labels;
use crate::lines::{Lines, Tag};

/// `figure`: crops of two evaluations side by side: masks, LQ, GT, baseline, tuned and the difference of the two, as in
/// the paper's Figures 4 to 6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// An evaluation of the baseline, with `save: true`.
    pub baseline: String,
    /// One of the tuned model on the same images, with `save: true`; its masks are shown.
    pub tuned: String,
    /// Crops to show.
    #[serde(default)]
    pub crops: Vec<Crop>,
    /// So many crops in addition, of different images, where the tuned result is better than the baseline's most.
    #[serde(default)]
    pub better: u32,
    /// So many where it is worse most.
    #[serde(default)]
    pub worse: u32,
    /// Side in HR pixels of the crops that are found.
    #[serde(default = "window")]
    pub window: u32,
    /// The images, by name, among which they are looked for; all when empty.
    #[serde(default)]
    pub images: Vec<String>,
    /// How many times larger crops are shown.
    #[serde(default = "zoom")]
    pub zoom: u32,
    /// What the difference is multiplied with to be seen; so much that the largest one is white, where nothing is said.
    #[serde(default)]
    pub gain: Option<u32>,
    /// The line above the figure's text.
    #[serde(default)]
    pub caption: String,
}

/// A part of an image, in HR pixels from its top left; whole LQ pixels, so multiples of the scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The image's name without ending.
    pub image: String,
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

const fn window() -> u32 {
    96
}

const fn zoom() -> u32 {
    2
}

impl StageKind for Figure {
    const NAME: &'static str = "figure";

    /// 1: first; 2: SVG with the whole image, gain by the largest difference; 3: PDF, masks in light colours with outlines.
    const VERSION: u32 = 3;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.stage("baseline", &self.baseline, Accepts::Evaluation);
        reads.stage("tuned", &self.tuned, Accepts::Evaluation);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        for role in ["baseline", "tuned"] {
            let evaluation = checker.input(role).and_then(|e| e.config::<Evaluate>());
            let saves = evaluation.is_some_and(|evaluate| evaluate.save == Save::All);
            let message =
                || format!("`{role}` does not keep all restored images: give it `save: true`");
            checker.need(saves, role, message, problems);
        }
        let images = |role: &str| checker.input(role)?.input("images").map(|i| i.at());
        checker.need(
            images("baseline") == images("tuned"),
            "tuned",
            || "`baseline` and `tuned` are evaluations of different images".into(),
            problems,
        );
        let some = !self.crops.is_empty() || self.better > 0 || self.worse > 0;
        let message = || "there is nothing to show: give `crops`, `better` or `worse`".into();
        checker.need(some, "", message, problems);
        let ranges = [
            ("better", self.better <= 1000, "0 to 1000"),
            ("worse", self.worse <= 1000, "0 to 1000"),
            ("window", (8..=4096).contains(&self.window), "8 to 4096"),
            ("zoom", (1..=16).contains(&self.zoom), "1 to 16"),
            (
                "gain",
                self.gain.is_none_or(|g| (1..=255).contains(&g)),
                "1 to 255",
            ),
        ];
        for (path, ok, range) in ranges {
            let message = || format!("out of range: expected a whole number from {range}");
            checker.need(ok, path, message, problems);
        }
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[
            "figure.png",
            "figure.svg",
            "figure.pdf",
            "figure.csv",
            "figure.txt",
        ]
    }

    fn lines(&self, _: &Around<'_>, lines: &mut Lines) {
        let Self {
            baseline: _,
            tuned: _,
            crops,
            better,
            worse,
            window,
            images,
            zoom,
            gain,
            caption,
        } = self;
        for (n, crop) in crops.iter().enumerate() {
            let Crop {
                image,
                x,
                y,
                width,
                height,
            } = crop;
            let place = format!("{x} {y} {width} {height} {image}");
            lines.put(Tag::Result, &format!("config.crops.{n:03}"), place);
        }
        for (n, image) in images.iter().enumerate() {
            lines.put(Tag::Result, &format!("config.images.{n:03}"), image);
        }
        lines.put(Tag::Result, "config.better", better);
        lines.put(Tag::Result, "config.worse", worse);
        lines.put(Tag::Result, "config.window", window);
        lines.put(Tag::Result, "config.zoom", zoom);
        lines.option(Tag::Result, "config.gain", *gain);
        lines.put(Tag::Result, "config.caption", caption);
    }

    fn behind(&self, around: &Around<'_>) -> Vec<Behind> {
        behind::photographs(around, "tuned")
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn labels(&self, _: &Around<'_>, _: &mut Labels) {}
}
