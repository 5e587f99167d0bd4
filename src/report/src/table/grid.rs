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
        latex: table.latex,
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

/// PSNR and SSIM: more is better, among all rows on the same images. One of them is the best: of several that print alike the
/// first, and none where all do. A row below its baseline is the best of nothing.
fn mark_best(columns: &[Column], rows: &mut [Row]) {
    for c in (0..columns.len()).filter(|c| columns[*c].is_metric()) {
        let mut groups: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
        for (r, row) in rows.iter().enumerate() {
            if row.cells[c].value.is_some() {
                groups.entry(row.cells[c].on.clone()).or_default().push(r);
            }
        }
        for members in groups.into_values() {
            if let Some(best) = best(rows, c, &members) {
                rows[best].cells[c].best = true;
            }
        }
    }
}

/// The row of these whose value is the best, if one is.
fn best(rows: &[Row], column: usize, members: &[usize]) -> Option<usize> {
    let printed = |r: usize| rows[r].cells[column].value.map(|v| (v * 1e4).round());
    let top = members
        .iter()
        .filter_map(|&r| printed(r))
        .max_by(f64::total_cmp)?;
    let is_top = |r: &&usize| printed(**r).is_some_and(|v| v >= top);
    if members.iter().filter(is_top).count() == members.len() {
        return None;
    }
    let first = members.iter().find(is_top).copied()?;
    let delta = rows[first].cells[column].delta;
    let is_below = delta.is_some_and(|delta| (delta * 1e4).round() < 0.0);
    (!is_below).then_some(first)
}
