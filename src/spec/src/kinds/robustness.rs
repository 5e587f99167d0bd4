//! `robustness`: masks of LQ images beside those of their HQ images.
//! Unaware of how agreement is measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `robustness`: a table of how well the masks of LQ images agree with those of their HQ images, the premise of the
/// paper's Figure 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Robustness {
    /// Mask stages; a swept stage stands for all of its members.
    pub lq: Vec<String>,
    /// Mask stages with `of: hr`: for each of `lq` one of the same images with the same settings.
    pub hq: Vec<String>,
    /// The line above the table.
    #[serde(default)]
    pub caption: String,
    /// A line below the table.
    #[serde(default)]
    pub note: String,
}
