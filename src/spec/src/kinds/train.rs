//! `train`: a backbone trained from scratch, or from the weights of another stage.
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
use crate::labels::{self, Labels};
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

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        checker.architecture(&self.backbone, problems);
        if let Some(from) = checker.input("from") {
            let other = checker.network(&from);
            let same = other.is_none_or(|a| *a == self.backbone);
            checker.need(
                same,
                "from",
                || "the weights belong to another backbone than `backbone`".into(),
                problems,
            );
        }
        checker.images_fit("images", self.backbone.scale(), problems);
        self.schedule
            .check(self.backbone.scale(), false, checker, problems);
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

    fn network(&self) -> Network<'_> {
        Network::Own(&self.backbone)
    }

    fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
        let training = Some((self.schedule.seed, self.schedule.precision));
        labels::model(around.architecture(), training, labels);
        labels::baseline(labels);
    }

    fn schedule(&self) -> Option<&Schedule> {
        Some(&self.schedule)
    }
}
