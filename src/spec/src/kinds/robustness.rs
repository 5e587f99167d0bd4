//! `robustness`: masks of LQ images beside those of their HQ images.
//! Unaware of how agreement is measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reads::{Accepts, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::labels;
use crate::lines::{Lines, Tag};

/// `robustness`: a table of how well the masks of LQ images agree with those of their HQ images, the premise of the
/// paper's Figure 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Robustness {
    /// Mask stages; a swept stage stands for all of its members.
    pub lq: Vec<String>,
    /// Mask stages with `of: hr`: for each of `lq` one of the same images with the same settings.
    pub hq: Vec<String>,
    /// The line above the table.
    #[serde(default)]
    pub caption: String,
    /// A line below the table.
    #[serde(default)]
    pub note: String,
}

impl StageKind for Robustness {
    const NAME: &'static str = "robustness";

    /// 1: first.
    const VERSION: u32 = 1;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.list("lq", &self.lq, Accepts::Masks);
        reads.list("hq", &self.hq, Accepts::Masks);
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[]
    }

    fn outputs(&self) -> &'static [&'static str] {
        &[
            "table.txt",
            "table.csv",
            "table.md",
            "table.tex",
            "images.csv",
        ]
    }

    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
            lq: _,
            hq: _,
            caption,
            note,
        } = self;
        lines.put(Tag::Result, "config.caption", caption);
        lines.put(Tag::Result, "config.note", note);
        for edge in &around.stage().inputs {
            for (label, value) in labels::of_masks(&around.of(edge.stage)) {
                let path = format!("label.{}.{label}", edge.role);
                lines.put(Tag::Result, &path, value);
            }
        }
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }
}
