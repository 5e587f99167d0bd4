//! What is asked of every segmenter.
//! Unaware of which there are.

use crate::checker::Checker;
use crate::error::Problems;
use crate::kinds::{Download, Reads};
use crate::lines::{Lines, Tag};

/// All that the orchestrator must know of a segmenter, beside the fields of its configuration.
pub(crate) trait SegmenterKind {
    /// The name in YAML and in keys.
    const NAME: &'static str;

    /// The name in tables.
    fn label(&self) -> String {
        Self::NAME.into()
    }

    /// What the choice of it, its images and the numerics class determine besides the result: a start that all stages
    /// share which are alike in such lines, where it has an expensive one.
    fn start_up(&self) -> Tag {
        Tag::Result
    }

    /// Whether it computes with libtorch.
    fn uses_torch(&self) -> bool {
        false
    }

    /// Whether the masks depend on the stage's grid of points.
    fn has_grid(&self) -> bool;

    /// Tells what it reads, as a kind does.
    fn reads(&mut self, reads: &mut Reads<'_>);

    /// What is wrong with its fields, which lie below `segmenter.NAME.`.
    fn check(&self, checker: &Checker<'_>, problems: &mut Problems);

    /// Writes what in its configuration determines the masks, below `config.segmenter.`: every field, by destructuring
    /// without `..`.
    fn lines(&self, lines: &mut Lines);

    /// Writes what the names of the files found determine, beside their bytes.
    fn found(&self, _names: &mut dyn Iterator<Item = &str>, _lines: &mut Lines) {}

    /// The field with the number format and its value, where that is not float32: not every device has the others.
    fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What a stage that was stopped does when it is run again.
    fn after_stop(&self) -> &'static str {
        "the stage starts anew"
    }

    /// A file that it reads and that somebody publishes.
    fn download(&self) -> Option<Download<'_>> {
        None
    }
}
