//! Lays evaluations out in rows and columns.
//! Unaware of how a table is written down, and of published values.

use std::collections::BTreeMap;

use spec::kinds::Table;

use super::cell::{self, Scored};
use super::layout::{Column, Grid, Row, head, label};
use super::notes;
use super::read::{Evaluation, ReportError, read_scores};

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
