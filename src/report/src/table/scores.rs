//! Columns that commands have measured: each line of their CSV goes to the row whose labels it has, or makes one.
//! Unaware of how anything was measured; the protocol's words go below the table.
//!
//! ```text
//!   scheme,image,lpips
//!   SPT,a,0.21          ──> row `SPT`: the mean of 0.21, 0.25
//!   SPT,b,0.25
//!   bicubic,a,0.40      ──> a row `bicubic` of its own
//! ```

use std::path::PathBuf;

use spec::labels::NONE;

use super::layout::{Cell, Column, Grid, Row};
use super::published::plain;
use super::read::ReportError;

/// More than such a file takes.
const MOST: u64 = 256 << 20;

/// The CSV of a column.
#[derive(Clone, Debug)]
pub struct ScoreFile {
    /// The column's heading.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its column of numbers.
    pub column: String,
    /// How they were measured.
    pub protocol: String,
    /// The stage that wrote it.
    pub stage: String,
    /// The key of that stage.
    pub key: String,
}

/// A line: labels by their place in the table's, and the number.
struct Line {
    labels: Vec<Option<String>>,
    value: f64,
}

/// Puts the columns behind the others.
pub(super) fn attach(grid: &mut Grid, files: &[ScoreFile]) -> Result<(), ReportError> {
    for file in files {
        let lines = read(grid, file)?;
        add_rows(grid, &lines);
        grid.columns.push(Column::Score(file.name.clone()));
        for row in &mut grid.rows {
            let values = lines.iter().filter(|line| is_of(line, &row.labels));
            let values: Vec<f64> = values.map(|line| line.value).collect();
            row.cells.push(cell(&values, file));
        }
        grid.notes.push(format!(
            "{}: {}, as measured by the stage `{}`.",
            file.name,
            file.protocol.trim_end_matches('.'),
            file.stage
        ));
    }
    Ok(())
}

fn cell(values: &[f64], file: &ScoreFile) -> Cell {
    if values.is_empty() {
        return Cell::default();
    }
    Cell {
        value: Some(values.iter().sum::<f64>() / values.len() as f64),
        images: values.len(),
        keys: vec![file.key.clone()],
        ..Cell::default()
    }
}

/// Whether a line is about a row: it has the labels that it names. Spelling does not matter, as for published values.
fn is_of(line: &Line, labels: &[String]) -> bool {
    line.labels.iter().zip(labels).all(|(own, label)| {
        own.as_ref()
            .is_none_or(|own| plain("", own) == plain("", label))
    })
}

/// Rows for lines that no row is about, after those that share all labels but the last.
fn add_rows(grid: &mut Grid, lines: &[Line]) {
    for line in lines {
        if grid.rows.iter().any(|row| is_of(line, &row.labels)) {
            continue;
        }
        let labels = line.labels.iter().cloned();
        let foreign = Cell {
            is_foreign: true,
            ..Cell::default()
        };
        grid.rows.push(Row {
            labels: labels.map(|l| l.unwrap_or_else(|| NONE.into())).collect(),
            cells: vec![foreign; grid.columns.len()],
        });
    }
}

fn read(grid: &Grid, file: &ScoreFile) -> Result<Vec<Line>, ReportError> {
    let wrong = |why: String| ReportError::Read {
        path: file.path.clone(),
        why,
    };
    let text = files::read_to_string(&file.path, MOST).map_err(|e| wrong(e.to_string()))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let place = |name: &str| header.iter().position(|h| h.trim() == name);
    let number = place(&file.column).ok_or_else(|| {
        let all: Vec<&str> = header.iter().collect();
        wrong(format!(
            "there is no column `{}`; columns: {}",
            file.column,
            all.join(", ")
        ))
    })?;
    let labels: Vec<Option<usize>> = grid.labels.iter().map(|l| place(l)).collect();
    if labels.iter().all(Option::is_none) && grid.rows.len() > 1 {
        return Err(wrong(format!(
            "no column says which row a line is about: add `{}`",
            grid.labels.join("` or `")
        )));
    }
    let mut lines = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let text = record.get(number).unwrap_or_default().trim();
        let value: f64 = text
            .parse()
            .ok()
            .filter(|v: &f64| v.is_finite())
            .ok_or_else(|| wrong(format!("line {}: `{text}` is not a finite number", n + 2)))?;
        let label = |at: &Option<usize>| Some(record.get((*at)?)?.trim().to_owned());
        lines.push(Line {
            labels: labels.iter().map(label).collect(),
            value,
        });
    }
    if lines.is_empty() {
        return Err(wrong("there is no line in it".into()));
    }
    Ok(lines)
}
