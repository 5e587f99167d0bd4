//! What each stage kind may say: one file a kind, each default in one place.
//! Unaware of how a stage is keyed, run or cached.

mod command;
mod evaluate;
mod figure;
mod mask;
mod prepare;
mod pretrained;
mod reads;
mod resources;
mod robustness;
mod sam;
mod schedule;
mod stage_kind;
mod table;
mod tiling;
mod train;
mod tune;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use command::{Command, KeyPart, Shell};
pub use evaluate::Evaluate;
pub use figure::{Crop, Figure};
pub use mask::{Graph, Mask, Segmenter};
pub use prepare::{Degrade, Prepare};
pub use pretrained::Pretrained;
pub(crate) use reads::Reads;
pub use reads::{Accepts, External, InputRef, Listing};
pub use resources::Resources;
pub use robustness::Robustness;
pub use sam::{PublishedSam, Sam, SamModel, SamShape};
pub use schedule::{Schedule, Until, Validate};
pub use table::{Interval, LabelText, Table, TableValue};
pub use tiling::Tiling;
pub use train::Train;
pub use tune::Tune;

use stage_kind::StageKind;

use crate::around::Around;
use crate::backbones::Architecture;
use crate::lines::{Lines, Tag};

/// The enum of all kinds, and for each question about one the way to the file that answers.
macro_rules! stage_kinds {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What a stage does, with its configuration. The name in YAML is the field of the stage (`tune: {…}`).
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[doc = $doc])* $name($name),)*
        }

        impl Kind {
            /// The names of all kinds, in the order of [`Kind`].
            pub const NAMES: &'static [&'static str] = &[$($name::NAME),*];

            /// The name in YAML.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::NAME,)* }
            }

            /// Raised by hand whenever the same configuration gives other bytes.
            pub const fn version(&self) -> u32 {
                match self { $(Self::$name(_) => $name::VERSION,)* }
            }

            /// The files that a stage must leave in its output folder.
            pub fn outputs(&self) -> &'static [&'static str] {
                match self { $(Self::$name(kind) => kind.outputs(),)* }
            }

            /// What in the stage's configuration determines its result.
            pub fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
                match self { $(Self::$name(kind) => kind.lines(around, lines),)* }
            }

            /// Tells what the stage reads.
            pub(crate) fn reads(&mut self, reads: &mut Reads<'_>) {
                match self { $(Self::$name(kind) => kind.reads(reads),)* }
            }

            /// What references the stage may fill.
            pub(crate) fn serves_as(&self) -> &'static [Accepts] {
                match self { $(Self::$name(kind) => kind.serves_as(),)* }
            }

            /// Whether the stage reads the file `name` of an external path of this role.
            pub fn wants(&self, role: &str, path: &Path, name: &str) -> bool {
                match self { $(Self::$name(kind) => kind.wants(role, path, name),)* }
            }

            /// Writes what the names of the files found at an external path of this role determine.
            pub fn found(&self, role: &str, files: &mut dyn Iterator<Item = &str>, lines: &mut Lines) {
                match self { $(Self::$name(kind) => kind.found(role, files, lines),)* }
            }

            /// Whether the stage computes with libtorch, so that its numerics class determines the result, and what else
            /// that determines.
            pub fn numerics(&self) -> Option<Tag> {
                match self { $(Self::$name(kind) => kind.numerics(),)* }
            }
        }
    };
}

stage_kinds! {
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
    /// Evaluations side by side.
    Table,
    /// Crops of restored images side by side.
    Figure,
    /// Masks of LQ images beside those of HQ images.
    Robustness,
    /// A program of the user's own.
    Command,
}

impl Kind {
    /// Whether the stage shows what others computed, within `pipeline` itself.
    pub const fn is_report(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Figure(_) | Self::Robustness(_))
    }

    /// The network that the stage itself names.
    pub(crate) const fn architecture(&self) -> Option<&Architecture> {
        match self {
            Self::Pretrained(pretrained) => Some(&pretrained.backbone),
            Self::Train(train) => Some(&train.backbone),
            _ => None,
        }
    }

    /// The schedule of a stage that trains.
    pub const fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Train(train) => Some(&train.schedule),
            Self::Tune(tune) => Some(&tune.schedule),
            _ => None,
        }
    }
}
