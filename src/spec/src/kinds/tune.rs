//! `tune`: SPT units on a frozen backbone, or full fine-tuning.
//! Unaware of how a step is computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::reads::{Accepts, Reads};
use super::schedule::Schedule;
use super::stage_kind::{StageKind, TRAINED};
use crate::around::Around;
use crate::backbones::Architecture;
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::{self, Labels, NONE};
use crate::lines::{Lines, Tag};
use crate::names::{Init, Scheme, Share, Variant};

/// `tune`: SPT units on a frozen backbone, or full fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// What is trained.
    #[serde(default = "spt")]
    pub scheme: Scheme,
    /// The network tuned.
    pub backbone: String,
    /// The training pairs.
    pub images: String,
    /// Their masks; needed by `scheme: spt`.
    #[serde(default)]
    pub masks: Option<String>,
    /// α of equation 8: the weight of the unit's output.
    #[serde(default = "one")]
    pub alpha: f64,
    /// How many units there are: after blocks 1 to this; after all when absent.
    #[serde(default)]
    pub num_units: Option<u32>,
    /// The unit.
    #[serde(default = "variant")]
    pub variant: Variant,
    /// How units start.
    #[serde(default = "init")]
    pub init: Init,
    /// Whether units share weights.
    #[serde(default = "share")]
    pub share: Share,
    /// How long and how; its fields stand beside these in YAML.
    #[serde(default)]
    #[schemars(flatten)]
    pub schedule: Schedule,
}

const fn spt() -> Scheme {
    Scheme::Spt
}

const fn one() -> f64 {
    1.0
}

const fn variant() -> Variant {
    Variant::Spt
}

const fn init() -> Init {
    Init::Default
}

const fn share() -> Share {
    Share::None
}

impl StageKind for Tune {
    const NAME: &'static str = "tune";

    /// 1: first.
    const VERSION: u32 = 1;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.stage("backbone", &self.backbone, Accepts::Backbone);
        reads.stage("images", &self.images, Accepts::Images);
        reads.option("masks", self.masks.as_ref(), Accepts::Masks);
        self.schedule.reads(reads);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        match self.scheme {
            Scheme::Spt => &[Accepts::Model],
            Scheme::Full => &[Accepts::Backbone, Accepts::Model],
        }
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let Some(backbone) = checker
            .input("backbone")
            .and_then(|stage| checker.network(&stage))
        else {
            return;
        };
        let spt = self.scheme == Scheme::Spt;
        checker.images_fit("images", backbone.scale(), problems);
        checker.masks_fit("masks", "images", spt, problems);
        self.schedule
            .check(backbone.scale(), spt, checker, problems);
        let alpha = self.alpha;
        checker.need(
            alpha.is_finite(),
            "alpha",
            || format!("{alpha} is not a number"),
            problems,
        );
        let last = self.num_units.unwrap_or(1);
        let blocks = backbone.blocks();
        checker.need(
            (1..=blocks).contains(&last),
            "num_units",
            || format!("{last} is not in 1..={blocks}, the blocks of this backbone"),
            problems,
        );
    }

    fn outputs(&self) -> &'static [&'static str] {
        TRAINED
    }

    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
            scheme,
            backbone: _,
            images: _,
            masks: _,
            alpha,
            num_units,
            variant,
            init,
            share,
            schedule,
        } = self;
        lines.put(Tag::Result, "config.scheme", scheme);
        if *scheme == Scheme::Spt {
            // `num_units: 6` of six blocks and no `num_units` at all are the same units.
            let blocks = around.architecture().map_or(0, Architecture::blocks);
            lines.put(Tag::Result, "config.locations", num_units.unwrap_or(blocks));
            lines.put(Tag::Result, "config.alpha", alpha);
            lines.put(Tag::Result, "config.variant", variant);
            lines.put(Tag::Result, "config.init", init);
            lines.put(Tag::Result, "config.share", share);
        }
        schedule.put(around.degrade(), lines);
    }

    fn numerics(&self) -> Option<Tag> {
        Some(Tag::Result)
    }

    fn network(&self) -> Network<'_> {
        Network::Of("backbone")
    }

    fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
        let training = Some((self.schedule.seed, self.schedule.precision));
        labels::model(around.architecture(), training, labels);
        let spt = self.scheme == Scheme::Spt;
        let scheme = if spt { "SPT" } else { "full fine-tuning" };
        labels.insert("scheme".into(), scheme.into());
        let blocks = around.architecture().map_or(0, Architecture::blocks);
        let units = self.num_units.unwrap_or(blocks);
        let values = [
            ("alpha", self.alpha.to_string()),
            ("variant", self.variant.to_string()),
            ("locations", format!("B1–B{units}")),
            ("init", self.init.to_string()),
            ("share", self.share.to_string()),
        ];
        for (label, value) in values {
            let value = if spt { value } else { NONE.into() };
            labels.insert(label.into(), value);
        }
    }

    fn schedule(&self) -> Option<&Schedule> {
        Some(&self.schedule)
    }
}
