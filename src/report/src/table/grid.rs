//! Lays evaluations out in rows and columns.
//! Unaware of how a table is written down, and of published values.

use std::collections::BTreeMap;

use spec::kinds::{Interval, Table, TableValue};
use spec::labels::NONE;

use super::cell::{self, Scored};
use super::notes;
use super::published::Stated;
use super::read::{Evaluation, ReportError, read_scores};

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
    /// Whether it is the best among rows that differ in the last label only.
    pub best: bool,
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

/// Reads the evaluations and lays them out as `table` says.
pub fn build(
    table: &Table,
    from: &[Evaluation],
    baseline: &[Evaluation],
) -> Result<Grid, ReportError> {
    let scored = score(from, baseline)?;
    let columns = columns(table, &headings(table, &scored));
    let mut rows = Vec::new();
    for labels in row_labels(table, &scored) {
        let own = |s: &&Scored<'_>| labels_of(s.evaluation, &table.rows) == labels;
        let members: Vec<&Scored<'_>> = scored.iter().filter(own).collect();
        let cells = columns
            .iter()
            .map(|column| cell::cell(column, &members, table))
            .collect::<Result<_, _>>()?;
        rows.push(Row { labels, cells });
    }
    mark_best(&columns, &mut rows);
    Ok(Grid {
        caption: table.caption.clone(),
        notes: notes::notes(table, &scored, &rows)?,
        labels: table.rows.clone(),
        across: table.columns.clone(),
        columns,
        rows,
        metric: table.metric.to_string(),
        has_baseline: !table.baseline.is_empty(),
        interval: table.interval.clone(),
        published: false,
    })
}

fn score<'a>(
    from: &'a [Evaluation],
    baseline: &'a [Evaluation],
) -> Result<Vec<Scored<'a>>, ReportError> {
    from.iter()
        .map(|evaluation| {
            let fits = |b: &&Evaluation| {
                b.images == evaluation.images && b.backbone == evaluation.backbone
            };
            let own = baseline.iter().find(fits);
            let scores = |b: &'a Evaluation| read_scores(&b.folder).map(|scores| (b, scores));
            Ok(Scored {
                evaluation,
                scores: read_scores(&evaluation.folder)?,
                baseline: own.map(scores).transpose()?,
                is_baseline: own.is_some_and(|b| b.key == evaluation.key),
            })
        })
        .collect()
}

fn labels_of(evaluation: &Evaluation, names: &[String]) -> Vec<String> {
    names.iter().map(|n| label(evaluation, n)).collect()
}

pub(super) fn label(evaluation: &Evaluation, name: &str) -> String {
    let found = evaluation.labels.get(name);
    found.cloned().unwrap_or_else(|| NONE.into())
}

/// The rows in order of first appearance, those that share all labels but the last kept together.
fn row_labels(table: &Table, scored: &[Scored<'_>]) -> Vec<Vec<String>> {
    let mut groups: Vec<(Vec<String>, Vec<Vec<String>>)> = Vec::new();
    for s in scored {
        let labels = labels_of(s.evaluation, &table.rows);
        let head = head(&labels).to_vec();
        let at = groups
            .iter()
            .position(|(h, _)| *h == head)
            .unwrap_or_else(|| {
                groups.push((head, Vec::new()));
                groups.len() - 1
            });
        if !groups[at].1.contains(&labels) {
            groups[at].1.push(labels);
        }
    }
    groups.into_iter().flat_map(|(_, rows)| rows).collect()
}

/// All labels but the last: rows that share them are compared with each other.
pub(super) fn head(labels: &[String]) -> &[String] {
    &labels[..labels.len().saturating_sub(1)]
}

fn headings(table: &Table, scored: &[Scored<'_>]) -> Vec<String> {
    let Some(across) = &table.columns else {
        return Vec::new();
    };
    let mut headings: Vec<String> = Vec::new();
    for s in scored {
        let value = label(s.evaluation, across);
        if !headings.contains(&value) {
            headings.push(value);
        }
    }
    headings
}

fn columns(table: &Table, headings: &[String]) -> Vec<Column> {
    let mut columns: Vec<Column> = headings.iter().cloned().map(Column::Metric).collect();
    if table.columns.is_none() {
        let metric = table.metric.to_string().to_uppercase();
        columns.push(Column::Average(metric));
    } else if table.average {
        columns.push(Column::Average("Average".into()));
    }
    columns.extend(table.values.iter().copied().map(Column::Value));
    columns
}

/// PSNR and SSIM: more is better, among rows that differ in the last label only and are on the same images. Values that
/// print alike are best together.
fn mark_best(columns: &[Column], rows: &mut [Row]) {
    let rounded = |v: f64| (v * 1e4).round();
    for c in (0..columns.len()).filter(|c| columns[*c].is_metric()) {
        let mut best: BTreeMap<(Vec<String>, Vec<String>), (f64, usize)> = BTreeMap::new();
        for row in rows.iter() {
            if let Some(value) = row.cells[c].value {
                let entry = best.entry(rivals(row, c)).or_insert((f64::NEG_INFINITY, 0));
                *entry = (entry.0.max(rounded(value)), entry.1 + 1);
            }
        }
        for row in rows.iter_mut() {
            let among = best.get(&rivals(row, c)).copied();
            let is_best = |v: f64| among.is_some_and(|(top, n)| n > 1 && rounded(v) >= top);
            row.cells[c].best = row.cells[c].value.is_some_and(is_best);
        }
    }
}

/// What a cell has in common with those it is compared with.
fn rivals(row: &Row, column: usize) -> (Vec<String>, Vec<String>) {
    (head(&row.labels).to_vec(), row.cells[column].on.clone())
}
