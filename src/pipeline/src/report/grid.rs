//! Lays evaluations out in rows and columns.
//! Unaware of how a table is written down.

use std::collections::{BTreeMap, BTreeSet};

use spec::kinds::{Table, TableValue};
use spec::labels::NONE;
use spec::names::Metric;

use super::read::{Evaluation, ReportError, Scores, read_scores};

/// A table, laid out.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The line above it.
    pub caption: String,
    /// How the numbers were measured.
    pub protocol: String,
    /// A line below it.
    pub note: String,
    /// Names of the row labels.
    pub labels: Vec<String>,
    /// The columns behind the labels.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
    /// The metric's name (`psnr`).
    pub metric: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// The metric on the images with this value of the column label; the text is the heading.
    Metric(String),
    /// The metric over all images of the row.
    Average(String),
    /// The difference of the column before to the baseline; only where that has a column of its own.
    Delta,
    /// Something about the model.
    Value(TableValue),
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
    /// The value.
    pub value: Option<f64>,
    /// Its difference to the baseline.
    pub delta: Option<f64>,
    /// Whether it is the best among rows that differ in the last label only.
    pub best: bool,
    /// Whether there is nothing to show by design, such as Δ of the baseline itself.
    pub blank: bool,
    /// Images it is the mean of.
    pub images: usize,
    /// The keys of the evaluations it comes from.
    pub keys: Vec<String>,
    /// The keys of their images: only numbers on the same images are compared.
    pub on: Vec<String>,
}

struct Scored<'a> {
    evaluation: &'a Evaluation,
    scores: Scores,
    baseline: Option<Scores>,
    is_baseline: bool,
}

/// Reads the evaluations and lays them out as `table` says.
pub fn build(
    table: &Table,
    from: &[Evaluation],
    baseline: &[Evaluation],
) -> Result<Grid, ReportError> {
    let scored = score(from, baseline)?;
    let headings = headings(table, &scored);
    let columns = columns(table, &headings);
    let mut rows = Vec::new();
    for labels in row_labels(table, &scored) {
        let members: Vec<&Scored<'_>> = scored
            .iter()
            .filter(|s| labels_of(s.evaluation, &table.rows) == labels)
            .collect();
        let cells = columns
            .iter()
            .map(|column| cell(column, &members, table))
            .collect();
        rows.push(Row { labels, cells });
    }
    mark_best(&columns, &mut rows);
    Ok(Grid {
        caption: table.caption.clone(),
        protocol: protocol(table, &scored),
        note: table.note.clone(),
        labels: table.rows.clone(),
        columns,
        rows,
        metric: table.metric.to_string(),
    })
}

fn score<'a>(
    from: &'a [Evaluation],
    baseline: &[Evaluation],
) -> Result<Vec<Scored<'a>>, ReportError> {
    from.iter()
        .map(|evaluation| {
            let fits = |b: &&Evaluation| {
                b.images == evaluation.images && b.backbone == evaluation.backbone
            };
            let own = baseline.iter().find(fits);
            Ok(Scored {
                evaluation,
                scores: read_scores(&evaluation.folder)?,
                baseline: own.map(|b| read_scores(&b.folder)).transpose()?,
                is_baseline: own.is_some_and(|b| b.key == evaluation.key),
            })
        })
        .collect()
}

fn labels_of(evaluation: &Evaluation, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|n| {
            evaluation
                .labels
                .get(n)
                .cloned()
                .unwrap_or_else(|| NONE.into())
        })
        .collect()
}

/// The rows in order of first appearance, those that share all labels but the last kept together.
fn row_labels(table: &Table, scored: &[Scored<'_>]) -> Vec<Vec<String>> {
    let mut groups: Vec<(Vec<String>, Vec<Vec<String>>)> = Vec::new();
    for s in scored {
        let labels = labels_of(s.evaluation, &table.rows);
        let head = labels[..labels.len().saturating_sub(1)].to_vec();
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

fn headings(table: &Table, scored: &[Scored<'_>]) -> Vec<String> {
    let Some(label) = &table.columns else {
        return Vec::new();
    };
    let mut headings: Vec<String> = Vec::new();
    for s in scored {
        let value = s
            .evaluation
            .labels
            .get(label)
            .cloned()
            .unwrap_or_else(|| NONE.into());
        if !headings.contains(&value) {
            headings.push(value);
        }
    }
    headings
}

fn columns(table: &Table, headings: &[String]) -> Vec<Column> {
    let mut columns: Vec<Column> = headings.iter().cloned().map(Column::Metric).collect();
    let metric = table.metric.to_string().to_uppercase();
    if headings.is_empty() {
        columns.push(Column::Average(metric));
        if !table.baseline.is_empty() {
            columns.push(Column::Delta);
        }
    } else if table.average {
        columns.push(Column::Average("Average".into()));
    }
    columns.extend(table.values.iter().copied().map(Column::Value));
    columns
}

fn cell(column: &Column, members: &[&Scored<'_>], table: &Table) -> Cell {
    let metric = table.metric.as_str();
    match column {
        Column::Metric(heading) => {
            let label = table.columns.as_deref().unwrap_or_default();
            let here = |s: &&&Scored<'_>| {
                s.evaluation.labels.get(label).map_or(NONE, String::as_str) == heading
            };
            metric_cell(
                &members.iter().filter(here).copied().collect::<Vec<_>>(),
                metric,
            )
        }
        Column::Average(_) => metric_cell(members, metric),
        Column::Delta => delta_cell(&metric_cell(members, metric), members),
        Column::Value(value) => value_cell(*value, members),
    }
}

/// The mean over all images of these evaluations, each weighted by its number of images.
fn metric_cell(members: &[&Scored<'_>], metric: &str) -> Cell {
    let value = weighted(members.iter().map(|s| Some(&s.scores)), metric);
    let baseline = weighted(members.iter().map(|s| s.baseline.as_ref()), metric);
    let own = members.iter().all(|s| s.is_baseline);
    Cell {
        value,
        delta: value.zip(baseline).map(|(v, b)| v - b).filter(|_| !own),
        images: members.iter().map(|s| s.scores.images).sum(),
        keys: keys(members),
        on: members
            .iter()
            .map(|s| s.evaluation.images.clone())
            .collect(),
        ..Cell::default()
    }
}

fn delta_cell(metric: &Cell, members: &[&Scored<'_>]) -> Cell {
    let blank = members.iter().all(|s| s.is_baseline);
    Cell {
        value: metric.delta,
        delta: None,
        blank,
        ..metric.clone()
    }
}

/// `None` when there is nothing or when one of the parts is missing: a mean of the rest would be another number.
fn weighted<'s>(scores: impl Iterator<Item = Option<&'s Scores>>, metric: &str) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0);
    for scores in scores {
        let scores = scores?;
        sum += scores.means.get(metric)? * scores.images as f64;
        images += scores.images;
    }
    (images > 0).then(|| sum / images as f64)
}

fn value_cell(value: TableValue, members: &[&Scored<'_>]) -> Cell {
    let model = |pick: fn(&Scored<'_>) -> Option<f64>| {
        let mut values = members.iter().map(|s| pick(s));
        let first = values.next().flatten();
        first.filter(|f| values.all(|v| v == Some(*f)))
    };
    let found = match value {
        TableValue::Ssim => weighted(members.iter().map(|s| Some(&s.scores)), "ssim"),
        TableValue::Iterations => model(|s| s.scores.summary.model.iterations.map(|n| n as f64)),
        TableValue::Trainable => model(|s| s.scores.summary.model.trainable.map(|n| n as f64)),
        TableValue::Masks => masks(members),
        TableValue::Seconds => model(|s| s.evaluation.facts.get("training_seconds").copied()),
        TableValue::PeakMemory => model(|s| s.evaluation.facts.get("peak_memory_mib").copied()),
    };
    Cell {
        value: found,
        keys: keys(members),
        ..Cell::default()
    }
}

/// Masks found an image, over all images; blank for models that read none.
fn masks(members: &[&Scored<'_>]) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0);
    for s in members {
        sum += s.scores.summary.masks_found? * s.scores.images as f64;
        images += s.scores.images;
    }
    (images > 0).then(|| sum / images as f64)
}

fn keys(members: &[&Scored<'_>]) -> Vec<String> {
    members.iter().map(|s| s.evaluation.key.clone()).collect()
}

/// PSNR and SSIM: more is better, among rows that differ in the last label only and are on the same images. Values that
/// print alike are best together.
fn mark_best(columns: &[Column], rows: &mut [Row]) {
    let metric = |c: &usize| matches!(columns[*c], Column::Metric(_) | Column::Average(_));
    let rounded = |v: f64| (v * 1e4).round();
    for c in (0..columns.len()).filter(metric) {
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
    let head = row.labels[..row.labels.len().saturating_sub(1)].to_vec();
    (head, row.cells[column].on.clone())
}

/// How the numbers were measured, in words.
fn protocol(table: &Table, scored: &[Scored<'_>]) -> String {
    let mut ways: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for s in scored {
        let summary = &s.scores.summary;
        ways.entry(channel(&summary.luma))
            .or_default()
            .insert(summary.shave);
    }
    let way = |(channel, shaves): (&&str, &BTreeSet<u32>)| {
        let shaves: Vec<String> = shaves.iter().map(u32::to_string).collect();
        format!("{channel}, {} pixels shaved", shaves.join("/"))
    };
    let ways: Vec<String> = ways.iter().map(way).collect();
    let metric = if table.metric == Metric::Psnr {
        "PSNR (dB)"
    } else {
        "SSIM"
    };
    format!(
        "{metric} of 8-bit output on {}; means over images.",
        ways.join(" or ")
    )
}

fn channel(luma: &str) -> &'static str {
    match luma {
        "rounded" => "Y of BT.601 rounded to 8 bits",
        "unrounded" => "Y of BT.601, not rounded",
        _ => "R, G and B",
    }
}
