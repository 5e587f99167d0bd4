//! `robustness`: masks of LQ images beside those of their HQ images.
//! Unaware of how agreement is measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;
use super::reads::{Accepts, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::check::Checker;
use crate::error::Problems;
use crate::labels::{self, Labels};
use crate::lines::{Lines, Tag};
use crate::names::Of;

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

impl Robustness {
    /// For each LQ mask stage of this stage, its partners: HQ mask stages of the same images with the same settings.
    pub fn pairs(around: &Around<'_>) -> Vec<(usize, Vec<usize>)> {
        let stage = around.stage();
        let is_partner = |lq: usize, hq: usize| {
            let (a, b) = (around.of(lq).stage(), around.of(hq).stage());
            match (&a.kind, &b.kind) {
                (Kind::Mask(x), Kind::Mask(y)) => {
                    a.input("images") == b.input("images") && x.same_but_of(y)
                }
                _ => false,
            }
        };
        let partners = |lq: usize| {
            let hq = stage.inputs_of("hq");
            hq.filter(|&hq| is_partner(lq, hq)).collect()
        };
        let all = stage.inputs_of("lq");
        all.map(|lq| (lq, partners(lq))).collect()
    }
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

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let stage = &checker.stage.stage;
        let of = |at: usize| match checker.kind(at) {
            Kind::Mask(mask) => Some(mask.of),
            _ => None,
        };
        for (field, wanted, expected) in [
            ("lq", Of::Lq, "masks of LQ images"),
            ("hq", Of::Hr, "masks of HR images (`of: hr`)"),
        ] {
            let mut all = stage.inputs_of(field).peekable();
            let some = all.peek().is_some();
            checker.need(some, field, || format!("name {expected}"), problems);
            for at in all.filter(|at| of(*at) != Some(wanted)) {
                let name = checker.name(at);
                let message = format!("`{name}` are not {expected}");
                problems.push(checker.stage.problem(field, message));
            }
        }
        for (lq, hq) in Self::pairs(&checker.around()) {
            let name = checker.name(lq);
            let hint = "its partner has the same images and settings, and `of: hr`";
            let message = match hq.len() {
                0 => format!("nothing in `hq` is the partner of `{name}`"),
                1 => continue,
                n => format!("{n} stages in `hq` are partners of `{name}`"),
            };
            problems.push(checker.stage.problem("hq", message).hint(hint));
        }
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
            for (label, value) in labels::of(&around.of(edge.stage)) {
                let path = format!("label.{}.{label}", edge.role);
                lines.put(Tag::Result, &path, value);
            }
        }
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn labels(&self, _: &Around<'_>, _: &mut Labels) {}
}
