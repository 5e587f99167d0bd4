//! `table`: evaluations side by side.
//! Unaware of how a table is laid out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Metric;

/// `table`: evaluations side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The evaluations; a swept stage stands for all of its members.
    pub from: Vec<String>,
    /// Labels that make the rows (see [`crate::labels`]), from the left; best values are marked among rows that
    /// differ in the last one only.
    pub rows: Vec<String>,
    /// The label whose values make columns (`set`); one column, over all images, when absent.
    #[serde(default)]
    pub columns: Option<String>,
    /// What the columns show.
    #[serde(default = "psnr")]
    pub metric: Metric,
    /// Columns behind them.
    #[serde(default)]
    pub values: Vec<TableValue>,
    /// What Δ is taken to: for each row, the evaluation among these of the same images and the same backbone.
    #[serde(default)]
    pub baseline: Vec<String>,
    /// Whether a column with the average over all images, weighted by their number, follows the columns.
    #[serde(default)]
    pub average: bool,
    /// The line above the table.
    #[serde(default)]
    pub caption: String,
    /// A line below the table, such as what is to be read with care.
    #[serde(default)]
    pub note: String,
}

const fn psnr() -> Metric {
    Metric::Psnr
}

/// A column of a table that is about the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableValue {
    /// SSIM, averaged over all images.
    Ssim,
    /// Iterations of the training whose weights were handed on or, with `best`, up to the best validation.
    Iterations,
    /// Trainable parameters of that training.
    Trainable,
    /// Distinct masks found an image, on average, before padding.
    Masks,
    /// Seconds the training took, as recorded; not determined by the key.
    Seconds,
    /// Peak memory of the training in MiB, as recorded; not determined by the key.
    PeakMemory,
}
