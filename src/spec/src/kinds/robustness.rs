//! `robustness`: masks of LQ images beside those of their HQ images.
//! Unaware of how agreement is measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mask::Mask;
use super::reads::{Accepts, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::checker::Checker;
use crate::error::Problems;
use crate::labels::Labels;
use crate::lines::{Lines, Tag};
use crate::names::PairImage;

/// `robustness`: a table of how well the masks of LQ images agree with those of their HQ images, the premise of the
/// paper's Figure 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Robustness {
    /// Mask stages; a swept stage stands for all of its members.
    pub lq: Vec<String>,
    /// Mask stages with `source: hq`: for each of `lq` one of the same images with the same settings.
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
        let images = |at: usize| around.of(at).input("images").map(|images| images.at());
        let mask = |at: usize| around.of(at).config::<Mask>();
        let is_partner = |lq: usize, hq: usize| {
            let alike = mask(lq)
                .zip(mask(hq))
                .is_some_and(|(a, b)| a.same_but_of(b));
            alike && images(lq) == images(hq)
        };
        let partners = |lq: usize| {
            let hq = around.inputs_of("hq").into_iter();
            hq.filter(|&hq| is_partner(lq, hq)).collect()
        };
        let all = around.inputs_of("lq").into_iter();
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
        let around = checker.around;
        let of = |at: usize| around.of(at).masks().map(|(_, of)| of);
        for (field, wanted, expected) in [
            ("lq", PairImage::Lq, "masks of LQ images"),
            ("hq", PairImage::Hq, "masks of HQ images (`source: hq`)"),
        ] {
            let all = around.inputs_of(field);
            checker.need(
                !all.is_empty(),
                field,
                || format!("name {expected}"),
                problems,
            );
            for at in all.into_iter().filter(|at| of(*at) != Some(wanted)) {
                let name = around.of(at).name();
                let message = format!("`{name}` are not {expected}");
                problems.push(checker.problem(field, message));
            }
        }
        for (lq, hq) in Self::pairs(&around) {
            let name = around.of(lq).name();
            let hint = "its partner has the same images and settings, and `source: hq`";
            let message = match hq.len() {
                0 => format!("nothing in `hq` is the partner of `{name}`"),
                1 => continue,
                n => format!("{n} stages in `hq` are partners of `{name}`"),
            };
            problems.push(checker.problem("hq", message).hint(hint));
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
        for edge in around.inputs() {
            for (label, value) in around.of(edge.stage).labels() {
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
