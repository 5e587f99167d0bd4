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
    /// Where it is in the file, from 1.
    number: u64,
}

/// Puts the columns behind the others.
pub(super) fn attach(grid: &mut Grid, files: &[ScoreFile]) -> Result<(), ReportError> {
    for file in files {
        let values = by_row(grid, file)?;
        grid.columns.push(Column::Score(file.name.clone()));
        for (row, values) in grid.rows.iter_mut().zip(values) {
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

/// The numbers of each row. Lines that no row is about make rows.
fn by_row(grid: &mut Grid, file: &ScoreFile) -> Result<Vec<Vec<f64>>, ReportError> {
    let lines = read(grid, file)?;
    let mut values = vec![Vec::new(); grid.rows.len()];
    for line in lines {
        let rows = rows_of(grid, &line);
        if rows.is_empty() {
            add_row(grid, &line);
            values.push(vec![line.value]);
            continue;
        }
        if rows.len() > 1 && line.labels.iter().all(Option::is_some) {
            return Err(ambiguous(grid, file, &line, &rows));
        }
        for row in rows {
            values[row].push(line.value);
        }
    }
    Ok(values)
}

fn ambiguous(grid: &Grid, file: &ScoreFile, line: &Line, rows: &[usize]) -> ReportError {
    let said: Vec<&str> = line.labels.iter().flatten().map(String::as_str).collect();
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("`{}`", grid.rows[*row].labels.join(", ")))
        .collect();
    ReportError::Score {
        path: file.path.clone(),
        line: line.number,
        why: format!("`{}` fits the rows {}", said.join(", "), rows.join(" and ")),
    }
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

/// The rows that a line is about: they have the labels that it names. Spelling does not matter, as for published values,
/// unless one row has the very text of a label.
fn rows_of(grid: &Grid, line: &Line) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..grid.rows.len()).collect();
    for (at, (name, own)) in grid.labels.iter().zip(&line.labels).enumerate() {
        if let Some(own) = own {
            rows.retain(|row| is_same(name, own, &grid.rows[*row].labels[at]));
        }
    }
    for (at, own) in line.labels.iter().enumerate() {
        let is_exact = |row: &usize| own.as_ref() == Some(&grid.rows[*row].labels[at]);
        if rows.iter().any(is_exact) {
            rows.retain(is_exact);
        }
    }
    rows
}

/// Whether two texts are spellings of one value of a label. No two numbers are.
fn is_same(label: &str, a: &str, b: &str) -> bool {
    if label == "degrade" && unit(a).zip(unit(b)).is_some_and(|(a, b)| a != b) {
        return false;
    }
    plain(label, a) == plain(label, b) && numbers(label, a) == numbers(label, b)
}

/// What the number of a degradation is: a scale or a noise.
fn unit(degrade: &str) -> Option<char> {
    match degrade.trim().to_lowercase().chars().next()? {
        'x' => Some('×'),
        c => Some(c).filter(|c| matches!(c, '×' | 'σ')),
    }
}

/// The numbers in a text, in their order; of locations from the first block (`B1–B6`) the last alone.
fn numbers(label: &str, text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| text.get(at).is_some_and(char::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begin = at;
        while is_digit(at) || (text.get(at) == Some(&'.') && is_digit(at + 1)) {
            at += 1;
        }
        if at == begin {
            at += 1;
            continue;
        }
        if matches!(text.get(at), Some('e' | 'E')) {
            let sign = usize::from(matches!(text.get(at + 1), Some('+' | '-')));
            if is_digit(at + 1 + sign) {
                at += 1 + sign;
                while is_digit(at) {
                    at += 1;
                }
            }
        }
        let is_negative = begin > 0
            && matches!(text[begin - 1], '-' | '−')
            && (begin == 1 || !text[begin - 2].is_alphanumeric());
        let number: String = text[begin..at].iter().collect();
        // With two points it is a version, and none but itself.
        let number = number.parse().map_or(number, |n: f64| n.to_string());
        found.push(if is_negative {
            format!("-{number}")
        } else {
            number
        });
    }
    if label == "locations" && found.len() == 2 && found[0] == "1" {
        found.remove(0);
    }
    found
}

/// A row for a line that no row is about.
fn add_row(grid: &mut Grid, line: &Line) {
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
    for record in reader.records() {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let at = record.position().map_or(1, csv::Position::line);
        let text = record.get(number).unwrap_or_default().trim();
        let value: f64 = text
            .parse()
            .ok()
            .filter(|v: &f64| v.is_finite())
            .ok_or_else(|| wrong(format!("line {at}: `{text}` is not a finite number")))?;
        let label = |at: &Option<usize>| Some(record.get((*at)?)?.trim().to_owned());
        lines.push(Line {
            labels: labels.iter().map(label).collect(),
            value,
            number: at,
        });
    }
    if lines.is_empty() {
        return Err(wrong("there is no line in it".into()));
    }
    Ok(lines)
}
