//! `pretrained`: weights that others trained.
//! Unaware of the file's format and of how a network computes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::reads::{Accepts, Listing, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::backbones::Architecture;
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::{self, Labels};
use crate::lines::{Lines, Tag};

/// `pretrained`: weights that others trained, by the official key names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// The network they belong to.
    pub backbone: Architecture,
    /// A `.pth` or `.safetensors` file.
    pub file: PathBuf,
    /// The entry of the file behind which the network stands (`params`, `state_dict.net_g`), where several copies of it
    /// are there. Without it an averaged one (EMA) is taken before the others, and the worker says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

impl StageKind for Pretrained {
    const NAME: &'static str = "pretrained";

    /// 1: first.
    const VERSION: u32 = 1;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.file("file", &mut self.file, Listing::File);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[Accepts::Backbone, Accepts::Model]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        checker.architecture(&self.backbone, problems);
        let entry = self.entry.as_deref();
        checker.need(
            entry.is_none_or(|e| e.split('.').all(|part| !part.trim().is_empty())),
            "entry",
            || "expected the name of an entry, as in `params` or `state_dict.net_g`".into(),
            problems,
        );
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["weights.safetensors", "model.json"]
    }

    fn lines(&self, _: &Around<'_>, lines: &mut Lines) {
        let Self {
            backbone,
            file: _,
            entry,
        } = self;
        backbone.put(lines);
        lines.option(Tag::Result, "config.entry", entry.as_ref());
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn network(&self) -> Network<'_> {
        Network::Own(&self.backbone)
    }

    fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
        labels::model(around.architecture(), None, labels);
        labels::baseline(labels);
    }
}
