//! `train`: a backbone trained from scratch, or from the weights of another stage.
//! Unaware of how a step is computed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Schedule;
use super::reads::{Accepts, Reads};
use super::stage_kind::{StageKind, TRAINED};
use crate::around::Around;
use crate::backbones::Architecture;
use crate::lines::{Lines, Tag};

/// `train`: a backbone from scratch, or from the weights of another stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The network.
    pub backbone: Architecture,
    /// Where it starts; random weights when absent.
    #[serde(default)]
    pub from: Option<String>,
    /// The training pairs.
    pub images: String,
    /// How long and how; its fields stand beside these in YAML.
    #[serde(default)]
    #[schemars(flatten)]
    pub schedule: Schedule,
}

impl StageKind for Train {
    const NAME: &'static str = "train";

    /// 1: first.
    const VERSION: u32 = 1;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.option("from", self.from.as_ref(), Accepts::Backbone);
        reads.stage("images", &self.images, Accepts::Images);
        self.schedule.reads(reads);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Backbone, Accepts::Model]
    }

    fn outputs(&self) -> &'static [&'static str] {
        TRAINED
    }

    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
            backbone,
            from: _,
            images: _,
            schedule,
        } = self;
        backbone.put(lines);
        schedule.put(around.degrade(), lines);
    }

    fn numerics(&self) -> Option<Tag> {
        Some(Tag::Result)
    }
}
