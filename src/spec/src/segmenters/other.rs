//! `segmenter: {other: …}`: the masks of the next image of the set, a control.
//! Unaware of how they are fitted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::segmenter_kind::SegmenterKind;
use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::{Accepts, Reads};
use crate::lines::Lines;

/// The masks of the next image of the set, fitted to this one's size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OtherMasks")]
pub struct Other {
    /// Whose masks.
    pub masks: String,
}

impl SegmenterKind for Other {
    const NAME: &'static str = "other";

    fn has_grid(&self) -> bool {
        false
    }

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.stage("segmenter.other.masks", &self.masks, Accepts::Masks);
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        checker.masks_belong("segmenter.other.masks", "images", problems);
    }

    fn lines(&self, _: &mut Lines) {
        let Self { masks: _ } = self;
    }
}
