//! The stage kinds: one file each says all that the orchestrator must know of it. Here is the list of them.
//! Unaware of hashes and caches, and of how a stage is run.
//!
//! ```text
//!   YAML ── fields, read ──> the kind's struct ─┬─ reads ────> edges to other stages, external files   (pipeline.rs)
//!                                               ├─ check ────> problems, each at its field             (check.rs)
//!                                               ├─ labels ───> rows and columns of tables              (labels.rs)
//!                                               ├─ lines, numerics, found, VERSION ──> manifest, key   (crate plan)
//!                                               └─ outputs, its group in the list ──> who runs it      (crate engine)
//! ```
//!
//! A kind asks about the stages around it by [`Around`], which does not know the kinds, so that files import one way:
//! kinds know `Around`, [`Kind`] knows the kinds, and stages know `Kind`.
//!
//! The trait [`StageKind`] has the questions, [`stage_kinds!`] leads from the enum to the file that answers. It lies here
//! and not in the planner, so that a kind is one file: a manifest's lines are text, a pure function of the configuration,
//! and what they become there (digests, keys, verdicts) is the same for all kinds.
//!
//! To add one: its file here with a line in the list below, and its file in the worker with a line in its list
//! (docs/adding-a-kind.md).

mod command;
mod degrade;
mod download;
mod evaluate;
mod figure;
mod label_text;
mod mask;
mod network;
mod prepare;
mod pretrained;
mod reads;
mod resources;
mod robustness;
mod save;
mod schedule;
mod stage_kind;
mod table;
mod tiling;
mod train;
mod tune;

use std::any::Any;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use command::{Command, KeyPart, Placing, Sandbox, Shell};
pub use degrade::Degrade;
pub use download::Download;
pub use evaluate::Evaluate;
pub use figure::{Crop, Figure};
pub use label_text::LabelText;
pub use mask::{MASKS, Mask};
pub use network::Network;
pub use prepare::Prepare;
pub use pretrained::Pretrained;
pub(crate) use reads::Reads;
pub use reads::{Accepts, External, InputRef, Listing, Selection};
pub use resources::Resources;
pub use robustness::Robustness;
pub use save::Save;
pub use schedule::{Schedule, Until, Validate};
pub use table::{Interval, LatexWidth, Scores, Table, TableValue};
pub use tiling::Tiling;
pub use train::Train;
pub use tune::Tune;

use stage_kind::StageKind;

use crate::around::Around;
use crate::behind::Behind;
use crate::checker::Checker;
use crate::error::{Problem, Problems};
use crate::labels::Labels;
use crate::lines::{Lines, Tag};
use crate::names::{PairImage, Precision};
use crate::node::Node;

/// The enum of all kinds, who runs which, and for each question about one the way to the file that answers.
macro_rules! stage_kinds {
    ($($(#[doc = $who:literal])* $group:ident { $($(#[doc = $doc:literal])* $name:ident,)* })*) => {
        /// What a stage does, with its configuration. The name in YAML is the field of the stage (`tune: {…}`).
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($($(#[doc = $doc])* $name($name),)*)*
        }

        /// A stage by who runs it.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Runs<'k> {
            $($(#[doc = $who])* $group($group<'k>),)*
        }

        $(
            $(#[doc = $who])*
            #[derive(Clone, Copy, Debug, PartialEq)]
            pub enum $group<'k> {
                $($(#[doc = $doc])* $name(&'k $name),)*
            }
        )*

        impl Kind {
            /// The names of all kinds, in the order of [`Kind`].
            pub const NAMES: &'static [&'static str] = &[$($($name::NAME),*),*];

            /// The name in YAML.
            pub const fn name(&self) -> &'static str {
                match self { $($(Self::$name(_) => $name::NAME,)*)* }
            }

            /// Raised by hand whenever the same configuration gives other bytes.
            pub const fn version(&self) -> u32 {
                match self { $($(Self::$name(_) => $name::VERSION,)*)* }
            }

            /// Who runs the stage.
            pub const fn runs(&self) -> Runs<'_> {
                match self { $($(Self::$name(kind) => Runs::$group($group::$name(kind)),)*)* }
            }

            /// The fields in Rust of the kind of this name.
            pub(crate) fn fields(name: &str) -> &'static [&'static str] {
                $($(if name == $name::NAME { return $name::fields(); })*)*
                &[]
            }

            /// Whether a field of the kind of this name takes a number.
            pub(crate) fn takes_number(name: &str, field: &'static str) -> bool {
                $($(if name == $name::NAME { return $name::takes_number(field); })*)*
                false
            }

            /// The configuration of a stage of the kind of this name; nothing where there is no such kind.
            pub(crate) fn read(name: &str, config: &Node) -> Option<Result<Self, Problem>> {
                $($(if name == $name::NAME { return Some($name::read(config).map(Self::$name)); })*)*
                None
            }

            /// Tells what the stage reads.
            pub(crate) fn reads(&mut self, reads: &mut Reads<'_>) {
                match self { $($(Self::$name(kind) => kind.reads(reads),)*)* }
            }

            /// What references the stage may fill.
            pub(crate) fn serves_as(&self) -> &'static [Accepts] {
                match self { $($(Self::$name(kind) => kind.serves_as(),)*)* }
            }

            /// What is wrong with the stage.
            pub(crate) fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
                match self { $($(Self::$name(kind) => kind.check(checker, problems),)*)* }
            }

            /// The network that the stage hands on.
            pub fn network(&self) -> Network<'_> {
                match self { $($(Self::$name(kind) => kind.network(),)*)* }
            }

            /// What was done to the images that the stage hands on.
            pub(crate) fn degrade(&self) -> Option<Degrade> {
                match self { $($(Self::$name(kind) => kind.degrade(),)*)* }
            }

            /// How many masks an image has of those that the stage hands on, and of which image of a pair they are.
            pub(crate) fn masks(&self) -> Option<(usize, PairImage)> {
                match self { $($(Self::$name(kind) => kind.masks(),)*)* }
            }

            /// The configuration, to be asked for by its type.
            pub(crate) const fn config(&self) -> &dyn Any {
                match self { $($(Self::$name(kind) => kind,)*)* }
            }

            /// What tables can say of the stage.
            pub(crate) fn labels(&self, around: &Around<'_>, labels: &mut Labels) {
                match self { $($(Self::$name(kind) => kind.labels(around, labels),)*)* }
            }

            /// The schedule of a stage that trains.
            pub fn schedule(&self) -> Option<&Schedule> {
                match self { $($(Self::$name(kind) => kind.schedule(),)*)* }
            }

            /// Whether the stage reads the file `name` of an external path of this role.
            pub fn wants(&self, role: &str, path: &Path, name: &str) -> bool {
                match self { $($(Self::$name(kind) => kind.wants(role, path, name),)*)* }
            }

            /// The files of an external path of this role that must be there.
            pub fn needs(&self, role: &str) -> &[String] {
                match self { $($(Self::$name(kind) => kind.needs(role),)*)* }
            }

            /// What in the stage's configuration determines its result.
            pub fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
                match self { $($(Self::$name(kind) => kind.lines(around, lines),)*)* }
            }

            /// What the names of the files found at an external path of this role determine.
            pub fn found(&self, role: &str, names: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
                match self { $($(Self::$name(kind) => kind.found(role, names, lines),)*)* }
            }

            /// What is read of stages behind the inputs.
            pub(crate) fn behind(&self, around: &Around<'_>) -> Vec<Behind> {
                match self { $($(Self::$name(kind) => kind.behind(around),)*)* }
            }

            /// Whether the stage computes with libtorch, so that its numerics class determines the result, and what else
            /// that determines.
            pub fn numerics(&self) -> Option<Tag> {
                match self { $($(Self::$name(kind) => kind.numerics(),)*)* }
            }

            /// The field with the number format and its value, where that is not float32: not every device has the others.
            pub fn low_precision(&self) -> Option<(&'static str, &'static str)> {
                match self { $($(Self::$name(kind) => kind.low_precision(),)*)* }
            }

            /// Whether products are in TF32, which a worker is told as it starts.
            pub fn is_tf32(&self) -> bool {
                self.low_precision().is_some_and(|(_, numbers)| numbers == Precision::Tf32.as_str())
            }

            /// The files that a stage must leave in its output folder.
            pub fn outputs(&self) -> &'static [&'static str] {
                match self { $($(Self::$name(kind) => kind.outputs(),)*)* }
            }

            /// What a stage that was stopped does when it is run again.
            pub fn after_stop(&self) -> &'static str {
                match self { $($(Self::$name(kind) => kind.after_stop(),)*)* }
            }

            /// How the stage takes less memory, where its configuration says so.
            pub fn less_memory(&self) -> Option<&'static str> {
                match self { $($(Self::$name(kind) => kind.less_memory(),)*)* }
            }

            /// A file that the stage reads and that somebody publishes.
            pub fn download(&self) -> Option<Download<'_>> {
                match self { $($(Self::$name(kind) => kind.download(),)*)* }
            }
        }
    };
}

stage_kinds! {
    /// A process of `pipeline-worker`.
    Worker {
        /// Images from folders to HR/LR pairs.
        Prepare,
        /// `N_c` masks for each LQ image.
        Mask,
        /// A backbone with weights that others trained.
        Pretrained,
        /// A backbone trained from scratch or from weights.
        Train,
        /// SPT tuning or full fine-tuning of a backbone.
        Tune,
        /// PSNR and SSIM of each image.
        Evaluate,
    }
    /// `pipeline` itself: the stage shows what others computed.
    Report {
        /// Evaluations side by side.
        Table,
        /// Crops of restored images side by side.
        Figure,
        /// Masks of LQ images beside those of HQ images.
        Robustness,
    }
    /// A program of the user's own.
    Program {
        /// A program of the user's own.
        Command,
    }
}

impl Kind {
    /// Whether the stage shows what others computed, within `pipeline` itself.
    pub const fn is_report(&self) -> bool {
        matches!(self.runs(), Runs::Report(_))
    }
}
