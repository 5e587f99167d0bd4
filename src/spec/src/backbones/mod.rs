//! The backbones: one file each says what a pipeline may write of it, its defaults, its ranges and its lines in a key.
//! Unaware of weights and of how the networks compute.
//!
//! To add one: its file here and a line in [`backbones!`] below, its file and two lines in the worker's `nn`.

mod art;
mod cat;
mod dncnn;
mod imdn;
mod size;
mod transformer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lines::{Lines, Tag};

pub use art::Art;
pub use cat::Cat;
pub use dncnn::Dncnn;
pub use imdn::Imdn;
pub use size::{Line, Size, Wrong, spaced};

/// The enum of all backbones, and for each question about one the way to the file that answers.
macro_rules! backbones {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// A network and its size.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Architecture {
            $($(#[doc = $doc])* $name($name),)*
        }

        impl Architecture {
            /// The names in YAML, in the order in which backbones are listed.
            pub const NAMES: &[&str] = &[$($name::NAME),*];

            /// The name in YAML.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::NAME,)* }
            }

            /// The name in tables.
            pub const fn title(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::TITLE,)* }
            }

            /// HR pixels per LQ pixel along a side; 1 for denoising.
            pub fn scale(&self) -> u32 {
                match self { $(Self::$name(size) => size.scale(),)* }
            }

            /// Blocks that an SPT unit can follow.
            pub fn blocks(&self) -> u32 {
                match self { $(Self::$name(size) => size.blocks(),)* }
            }

            /// What is out of range.
            pub fn wrong(&self) -> Vec<Wrong> {
                match self { $(Self::$name(size) => size.wrong(),)* }
            }

            /// Its name and what else determines its results.
            pub(crate) fn put(&self, lines: &mut Lines) {
                lines.put(Tag::Result, "config.backbone", self.name());
                let own = match self { $(Self::$name(size) => size.lines(),)* };
                for (field, value) in own {
                    lines.put(Tag::Result, &format!("config.backbone.{field}"), value);
                }
            }
        }
    };
}

backbones! {
    /// Information multi-distillation network (Hui et al., 2019).
    Imdn,
    /// Attention retractable transformer (Zhang et al., 2023).
    Art,
    /// Cross aggregation transformer (Chen et al., 2022).
    Cat,
    /// Denoising by residual learning, colour (Zhang et al., 2017).
    Dncnn,
}
