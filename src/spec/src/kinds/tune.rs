//! `tune`: SPT units on a frozen backbone, or full fine-tuning.
//! Unaware of how a step is computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Schedule;
use super::reads::{Accepts, Reads};
use super::stage_kind::{StageKind, TRAINED};
use crate::around::Around;
use crate::backbones::Architecture;
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
    /// Units after blocks 1 to this; after all when absent.
    #[serde(default)]
    pub locations: Option<u32>,
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
            locations,
            variant,
            init,
            share,
            schedule,
        } = self;
        lines.put(Tag::Result, "config.scheme", scheme);
        if *scheme == Scheme::Spt {
            // `locations: 6` of six blocks and no `locations` at all are the same units.
            let blocks = around.architecture().map_or(0, Architecture::blocks);
            lines.put(Tag::Result, "config.locations", locations.unwrap_or(blocks));
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
}
