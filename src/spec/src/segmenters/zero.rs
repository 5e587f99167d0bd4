//! `segmenter: zero`: all masks empty, a control.
//! Unaware of everything else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter_kind::SegmenterKind;
use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::Reads;
use crate::lines::Lines;

/// All masks empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NoMasks")]
pub struct Zero {}

impl SegmenterKind for Zero {
    const NAME: &'static str = "zero";

    fn has_grid(&self) -> bool {
        false
    }

    fn reads(&mut self, _: &mut Reads<'_>) {}

    fn check(&self, _: &Checker<'_>, _: &mut Problems) {}

    fn lines(&self, _: &mut Lines) {
        let Self {} = self;
    }
}
