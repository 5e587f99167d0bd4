//! Tables for programs: `table.csv` as people see it, `cells.csv` in full precision with the origin of each number.
//! Unaware of layout.

use super::escape::guarded;
use super::layout::{BESIDE, Cell, Column, Grid, heading};
use super::number::{number, signed};
use super::read::ReportError;

/// As the table stands, each number in a column of its own, missing ones empty.
pub(super) fn table(grid: &Grid) -> Result<String, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let besides: Vec<Vec<usize>> = (0..grid.columns.len()).map(|c| shown(grid, c)).collect();
    let mut header: Vec<String> = grid.labels.iter().map(|l| guarded(l)).collect();
    for (column, besides) in grid.columns.iter().zip(&besides) {
        header.push(guarded(&heading(column)));
        header.extend(
            besides
                .iter()
                .map(|b| guarded(&format!("{} {}", heading(column), BESIDE[*b]))),
        );
    }
    put(&mut writer, &header)?;
    for row in &grid.rows {
        let mut record: Vec<String> = row.labels.iter().map(|l| guarded(l)).collect();
        for ((cell, column), besides) in row.cells.iter().zip(&grid.columns).zip(&besides) {
            // Thousands are parted by spaces for people, not for programs.
            let plain = |v: f64| number(v, column).replace(' ', "");
            record.push(cell.value.map_or(String::new(), plain));
            let values = beside(cell);
            let text = |b: &usize| match (values[*b], BESIDE[*b]) {
                (None, _) => String::new(),
                (Some(value), "published") => plain(value),
                (Some(value), _) => signed(value),
            };
            record.extend(besides.iter().map(text));
        }
        put(&mut writer, &record)?;
    }
    finish(writer)
}

/// Δ, the ends of its interval, the published value and Δ, and the difference to the published value.
fn beside(cell: &Cell) -> [Option<f64>; 6] {
    let published = cell.published.as_ref();
    [
        cell.delta,
        cell.interval.map(|(low, _)| low),
        cell.interval.map(|(_, high)| high),
        published.map(|p| p.value),
        published.and_then(|p| p.delta),
        cell.difference(),
    ]
}

/// Which of them some row has in this column.
fn shown(grid: &Grid, column: usize) -> Vec<usize> {
    let any = |b: &usize| {
        grid.rows
            .iter()
            .any(|r| beside(&r.cells[column])[*b].is_some())
    };
    (0..BESIDE.len()).filter(any).collect()
}

/// The columns of `cells.csv` behind the labels.
const FACTS: [&str; 14] = [
    "column",
    "value",
    "deviation",
    "delta",
    "delta_low",
    "delta_high",
    "published",
    "published_delta",
    "difference",
    "images",
    "seeds",
    "metric",
    "evaluation_keys",
    "baseline_keys",
];

/// Every cell in full precision, with the keys it comes from: the trace from a printed number to its origin.
pub(super) fn cells(grid: &Grid) -> Result<String, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header: Vec<String> = grid
        .labels
        .iter()
        .map(|l| guarded(l))
        .chain(FACTS.map(String::from))
        .collect();
    put(&mut writer, &header)?;
    for row in &grid.rows {
        for (cell, column) in row.cells.iter().zip(&grid.columns) {
            let mut record: Vec<String> = row.labels.iter().map(|l| guarded(l)).collect();
            record.extend(facts(grid, cell, column));
            put(&mut writer, &record)?;
        }
    }
    finish(writer)
}

fn facts(grid: &Grid, cell: &Cell, column: &Column) -> [String; FACTS.len()] {
    let plain = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
    let [delta, low, high, published, published_delta, difference] = beside(cell);
    let metric = if column.is_metric() {
        grid.metric.clone()
    } else {
        String::new()
    };
    [
        guarded(&heading(column)),
        plain(cell.value),
        plain(cell.deviation),
        plain(delta),
        plain(low),
        plain(high),
        plain(published),
        plain(published_delta),
        plain(difference),
        cell.images.to_string(),
        cell.seeds.to_string(),
        metric,
        cell.keys.join(" "),
        cell.baseline_keys.join(" "),
    ]
}

fn put(writer: &mut csv::Writer<Vec<u8>>, record: &[String]) -> Result<(), ReportError> {
    writer
        .write_record(record)
        .map_err(|e| ReportError::Csv(e.to_string()))
}

fn finish(writer: csv::Writer<Vec<u8>>) -> Result<String, ReportError> {
    let bytes = writer
        .into_inner()
        .map_err(|e| ReportError::Csv(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| ReportError::Csv(e.to_string()))
}
