//! The questions that the orchestrator asks of every stage kind; each kind answers them in its own file.
//! Unaware of the kinds.

use std::path::Path;

use super::reads::{Accepts, Reads};
use crate::around::Around;
use crate::lines::{Lines, Tag};

/// All that the orchestrator must know of a stage kind, beside the fields of its configuration.
pub(crate) trait StageKind {
    /// The name in YAML and in keys.
    const NAME: &'static str;

    /// Raised by hand whenever the same configuration gives other bytes; its documentation tells the history.
    const VERSION: u32;

    /// Tells what the stage reads, and has the paths of its fields anchored.
    fn reads(&mut self, reads: &mut Reads<'_>);

    /// What references to stages it may fill; any of them, where a reference takes any stage.
    fn serves_as(&self) -> &'static [Accepts];

    /// Whether the file `name` of an external path of this role is read: a kind may narrow the list of a folder.
    fn wants(&self, _role: &str, _path: &Path, _name: &str) -> bool {
        true
    }

    /// Writes what the names of the files found at an external path of this role determine, beside their bytes.
    fn found(&self, _role: &str, _names: &mut dyn Iterator<Item = &str>, _lines: &mut Lines) {}

    /// The files that a stage must leave in its output folder. What a command must leave, its executor checks: an output
    /// of it may be a folder.
    fn outputs(&self) -> &'static [&'static str];

    /// Writes what in the configuration determines the result, below `config.`: every field, by destructuring without
    /// `..`. What the stage reads is written elsewhere, by content.
    fn lines(&self, around: &Around<'_>, lines: &mut Lines);

    /// Whether the stage computes with libtorch: device kind, data type and version of libtorch then determine the
    /// result, and what the tag says besides.
    fn numerics(&self) -> Option<Tag>;
}

/// What a stage leaves that trains a network.
pub(super) const TRAINED: &[&str] = &["weights.safetensors", "model.json", "steps.csv"];
