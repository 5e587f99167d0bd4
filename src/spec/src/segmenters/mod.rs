//! The segmenters of `mask` stages: one file each says what a pipeline may write of it, what it reads, its checks and its
//! lines in a key. Unaware of how masks are computed.
//!
//! To add one: its file here and a line in [`segmenters!`] below, its file and a line in the worker's
//! `work/mask/segmenters`.

mod files;
mod graph;
mod other;
mod sam;
mod sam_model;
mod segmenter_kind;
mod zero;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::{Download, Reads};
use crate::lines::{Lines, Tag};

pub use files::Files;
pub use graph::Graph;
pub use other::Other;
pub use sam::Sam;
pub use sam_model::{PublishedSam, SamModel, SamShape};
pub use zero::Zero;

use segmenter_kind::SegmenterKind;

/// The enum of all segmenters, and for each question about one the way to the file that answers.
macro_rules! segmenters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Who makes the masks.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Segmenter {
            $($(#[doc = $doc])* $name($name),)*
        }

        impl Segmenter {
            /// The name in YAML and in keys.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::NAME,)* }
            }

            /// The name in tables.
            pub fn label(&self) -> String {
                match self { $(Self::$name(own) => own.label(),)* }
            }

            /// What the choice of it determines besides the result.
            pub(crate) fn start_up(&self) -> Tag {
                match self { $(Self::$name(own) => own.start_up(),)* }
            }

            /// Whether it computes with libtorch.
            pub(crate) fn uses_torch(&self) -> bool {
                match self { $(Self::$name(own) => own.uses_torch(),)* }
            }

            /// Whether the masks depend on the stage's grid of points.
            pub(crate) fn has_grid(&self) -> bool {
                match self { $(Self::$name(own) => own.has_grid(),)* }
            }

            /// Tells what it reads.
            pub(crate) fn reads(&mut self, reads: &mut Reads<'_>) {
                match self { $(Self::$name(own) => own.reads(reads),)* }
            }

            /// What is wrong with its fields.
            pub(crate) fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
                match self { $(Self::$name(own) => own.check(checker, problems),)* }
            }

            /// What in its configuration determines the masks.
            pub(crate) fn lines(&self, lines: &mut Lines) {
                match self { $(Self::$name(own) => own.lines(lines),)* }
            }

            /// What the names of the files found determine.
            pub(crate) fn found(&self, names: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
                match self { $(Self::$name(own) => own.found(names, lines),)* }
            }

            /// The field with the number format and its value, where that is not float32: not every device has the others.
            pub(crate) fn low_precision(&self) -> Option<(&'static str, &'static str)> {
                match self { $(Self::$name(own) => own.low_precision(),)* }
            }

            /// What a stage that was stopped does when it is run again.
            pub(crate) fn after_stop(&self) -> &'static str {
                match self { $(Self::$name(own) => own.after_stop(),)* }
            }

            /// A file that it reads and that somebody publishes.
            pub(crate) fn download(&self) -> Option<Download<'_>> {
                match self { $(Self::$name(own) => own.download(),)* }
            }
        }
    };
}

segmenters! {
    /// Felzenszwalb–Huttenlocher graph segmentation at three scales; needs no weights.
    Graph,
    /// Segment Anything with a grid of points, from weights of others.
    Sam,
    /// Masks that others made.
    Files,
    /// All masks empty: a control.
    Zero,
    /// The masks of the next image of the set, fitted to this one's size: a control.
    Other,
}

impl Default for Segmenter {
    fn default() -> Self {
        Self::Graph(Graph::default())
    }
}
