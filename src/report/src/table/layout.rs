//! What a table is while it is made: columns, rows and cells, and how they are called.
//! Unaware of where values come from and of how a table is written down.

use std::collections::BTreeMap;

use spec::kinds::{Interval, LatexWidth, TableValue};
use spec::labels::NONE;

use super::read::Evaluation;

/// A table, laid out.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The line above it.
    pub caption: String,
    /// Sentences below it: how the numbers were measured, and what is to be read with care.
    pub notes: Vec<String>,
    /// Names of the row labels.
    pub labels: Vec<String>,
    /// The label whose values are the metric's columns.
    pub across: Option<String>,
    /// The columns behind the labels.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
    /// The metric's name (`psnr`).
    pub metric: String,
    /// Whether there is something that Δ is taken to.
    pub has_baseline: bool,
    /// How Δ's intervals were made.
    pub interval: Interval,
    /// Whether published values stand beside the measured ones.
    pub published: bool,
    /// How the LaTeX table fits its column.
    pub latex: LatexWidth,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// The metric on the images with this value of the column label; the text is the heading.
    Metric(String),
    /// The metric over all images of the row.
    Average(String),
    /// Something about the model.
    Value(TableValue),
    /// What a command has measured; the text is the heading.
    Score(String),
}

impl Column {
    /// Whether the column shows the metric.
    pub const fn is_metric(&self) -> bool {
        matches!(self, Self::Metric(_) | Self::Average(_))
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its labels.
    pub labels: Vec<String>,
    /// Its cells, one a column.
    pub cells: Vec<Cell>,
}

/// A cell. What could not be computed has no value, and is shown as missing.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// The value; the mean over seeds where there are several.
    pub value: Option<f64>,
    /// Its standard deviation over seeds (n − 1), where there are several.
    pub deviation: Option<f64>,
    /// Its difference to the baseline.
    pub delta: Option<f64>,
    /// The 95 % interval of that difference.
    pub interval: Option<(f64, f64)>,
    /// Whether it is the best of all rows on the same images.
    pub best: bool,
    /// Whether nothing was to be measured here: its row comes from a command.
    pub is_foreign: bool,
    /// Whether it is the baseline itself.
    pub is_baseline: bool,
    /// Images it is the mean of.
    pub images: usize,
    /// Seeds it is the mean of.
    pub seeds: usize,
    /// The keys of the evaluations it comes from.
    pub keys: Vec<String>,
    /// The keys of their baselines.
    pub baseline_keys: Vec<String>,
    /// The keys of their images: only numbers on the same images are compared.
    pub on: Vec<String>,
    /// All that is said of the evaluations it comes from, to find what was published for it.
    pub labels: Vec<BTreeMap<String, String>>,
    /// The published value.
    pub published: Option<Stated>,
}

impl Cell {
    /// Measured minus published, where both are there and about the same images.
    pub fn difference(&self) -> Option<f64> {
        let published = self.published.as_ref().filter(|p| p.comparable)?;
        self.value.map(|v| v - published.value)
    }
}

impl Grid {
    /// Whether there is one column of the metric: what belongs to it then stands in columns of its own.
    pub fn is_single(&self) -> bool {
        self.columns.iter().filter(|c| c.is_metric()).count() == 1 && self.across.is_none()
    }
}

/// A published value.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// The metric.
    pub value: f64,
    /// Its difference to the baseline, as printed.
    pub delta: Option<f64>,
    /// That difference by the published values themselves, where it is another by more than 0.0001.
    pub implied: Option<f64>,
    /// Whether it is about the same images; an average over other sets is not.
    pub comparable: bool,
}

pub(super) fn label(evaluation: &Evaluation, name: &str) -> String {
    let found = evaluation.labels.get(name);
    found.cloned().unwrap_or_else(|| NONE.into())
}

/// All labels but the last: rows that share them are compared with each other.
pub(super) fn head(labels: &[String]) -> &[String] {
    &labels[..labels.len().saturating_sub(1)]
}

/// The heading of a column.
pub(super) fn heading(column: &Column) -> String {
    match column {
        Column::Metric(text) | Column::Average(text) | Column::Score(text) => text.clone(),
        Column::Value(TableValue::Ssim) => "SSIM".into(),
        Column::Value(TableValue::Iterations) => "iterations".into(),
        Column::Value(TableValue::Trainable) => "trainable parameters".into(),
        Column::Value(TableValue::Masks) => "masks found".into(),
        Column::Value(TableValue::Seconds) => "seconds".into(),
        Column::Value(TableValue::PeakMemory) => "peak memory (MiB)".into(),
    }
}

/// What may stand behind the heading of a column of the metric in `table.csv`.
pub(super) const BESIDE: [&str; 6] = [
    "Δ",
    "Δ low",
    "Δ high",
    "published",
    "published Δ",
    "difference",
];

/// The mark of a published difference that its own values contradict.
pub(super) const ODD: &str = "†";
