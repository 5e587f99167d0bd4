//! The questions that the orchestrator asks of every stage kind; each kind answers them in its own file.
//! Unaware of the kinds. A question with an answer of its own here is one that most kinds answer so.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::degrade::Degrade;
use super::download::Download;
use super::network::Network;
use super::reads::{Accepts, Reads};
use super::schedule::Schedule;
use crate::around::Around;
use crate::behind::Behind;
use crate::checker::Checker;
use crate::de;
use crate::error::{Problem, Problems};
use crate::labels::Labels;
use crate::lines::{Lines, Tag};
use crate::names::PairImage;
use crate::node::Node;

/// All that the orchestrator must know of a stage kind, beside the fields of its configuration.
pub(crate) trait StageKind: DeserializeOwned {
    /// The name in YAML and in keys.
    const NAME: &'static str;

    /// Raised by hand whenever the same configuration gives other bytes; its documentation tells the history.
    const VERSION: u32;

    /// Its fields in Rust. Those of a `schedule` stand beside the others in YAML.
    fn fields() -> &'static [&'static str] {
        de::fields_of::<Self>()
    }

    /// Whether a field takes a number.
    fn takes_number(field: &'static str) -> bool {
        de::takes_number::<Self>(field)
    }

    /// Reads its configuration.
    fn read(config: &Node) -> Result<Self, Problem> {
        de::from_node(config)
    }

    /// Tells what the stage reads, and has the paths of its fields anchored.
    fn reads(&mut self, reads: &mut Reads<'_>);

    /// What references to stages it may fill; any of them, where a reference takes any stage.
    fn serves_as(&self) -> &'static [Accepts];

    /// What is wrong with its fields, alone and beside the stages that it reads.
    fn check(&self, checker: &Checker<'_>, problems: &mut Problems);

    /// The network that the stage hands on.
    fn network(&self) -> Network<'_> {
        Network::None
    }

    /// What was done to the images that the stage hands on.
    fn degrade(&self) -> Option<Degrade> {
        None
    }

    /// How many masks an image has of those that the stage hands on, and of which image of a pair they are.
    fn masks(&self) -> Option<(usize, PairImage)> {
        None
    }

    /// What can be said in tables of the stage, or of a result that comes from it.
    fn labels(&self, around: &Around<'_>, labels: &mut Labels);

    /// The schedule of a stage that trains.
    fn schedule(&self) -> Option<&Schedule> {
        None
    }

    /// Whether the file `name` of an external path of this role is read: a kind may narrow the list of a folder.
    fn wants(&self, _role: &str, _path: &Path, _name: &str) -> bool {
        true
    }

    /// The files of an external path of this role that must be there, by name.
    fn needs(&self, _role: &str) -> &[String] {
        &[]
    }

    /// Writes what in the configuration determines the result, below `config.`: every field, by destructuring without
    /// `..`. What the stage reads is written elsewhere, by content.
    fn lines(&self, around: &Around<'_>, lines: &mut Lines);

    /// Writes what the names of the files found at an external path of this role determine, beside their bytes.
    fn found(&self, _role: &str, _names: &mut dyn Iterator<Item = &str>, _lines: &mut Lines) {}

    /// What is read of stages behind the inputs; only what is rendered in `pipeline` itself can.
    fn behind(&self, _around: &Around<'_>) -> Vec<Behind> {
        Vec::new()
    }

    /// Whether the stage computes with libtorch: device kind, data type and version of libtorch then determine the
    /// result, and what the tag says besides.
    fn numerics(&self) -> Option<Tag>;

    /// The field with the number format and its value, where that is not float32: not every device has the others.
    fn low_precision(&self) -> Option<(&'static str, &'static str)> {
        self.schedule()?.low_precision()
    }

    /// The files that a stage must leave in its output folder. What a command must leave, its executor checks: an output
    /// of it may be a folder.
    fn outputs(&self) -> &'static [&'static str];

    /// What a stage that was stopped does when it is run again.
    fn after_stop(&self) -> &'static str {
        match self.schedule() {
            Some(_) => Schedule::AFTER_STOP,
            None => "the stage starts anew",
        }
    }

    /// How the stage takes less memory, where its configuration says so.
    fn less_memory(&self) -> Option<&'static str> {
        self.schedule().map(|_| Schedule::LESS_MEMORY)
    }

    /// A file that the stage reads and that somebody publishes.
    fn download(&self) -> Option<Download<'_>> {
        None
    }
}

/// What a stage leaves that trains a network.
pub(super) const TRAINED: &[&str] = &["weights.safetensors", "model.json", "steps.csv"];
