//! The metrics of evaluations: for each its name in YAML, in keys and in `metrics.csv`, and how tables call it.
//! Unaware of how they are computed.
//!
//! To add one: a line in [`metrics!`] below, its file and a line in the worker's `work/metrics`. Evaluations that do not
//! name their metrics keep [`Metric::USUAL`], so that they keep their keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The enum of all metrics and what is known of each.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $title:literal;)*) => {
        /// A metric of an evaluation; the higher, the better.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Metric {
            $($(#[doc = $doc])* #[serde(rename = $text)] $name,)*
        }

        impl Metric {
            /// All metrics, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The one spelling in YAML, in keys and in files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The name in tables, with its unit.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

metrics! {
    /// Peak signal-to-noise ratio, dB.
    Psnr = "psnr", "PSNR (dB)";
    /// Structural similarity, 11×11 Gaussian window.
    Ssim = "ssim", "SSIM";
}

impl Metric {
    /// What is measured where a stage does not say.
    pub const USUAL: &'static [Self] = &[Self::Psnr, Self::Ssim];
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
