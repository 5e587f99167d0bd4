//! Tables from what their stages wrote: `cells.csv` for the numbers, the other files to be copied.
//! Unaware of how a cell came to be.

use std::path::Path;

use serde::Serialize;

use crate::{PageError, Table};

/// More than a table takes.
const MOST: u64 = 1 << 28;

/// A table as the page's script has it.
#[derive(Serialize)]
pub struct Shown {
    name: String,
    caption: String,
    labels: Vec<String>,
    columns: Vec<String>,
    rows: Vec<Row>,
    notes: Vec<String>,
    md: String,
    tex: String,
    csv: String,
}

/// A row.
#[derive(Serialize)]
struct Row {
    labels: Vec<String>,
    cells: Vec<Cell>,
}

/// A cell, by the names of `cells.csv`.
#[derive(Serialize)]
struct Cell {
    value: Option<f64>,
    deviation: Option<f64>,
    delta: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    published: Option<f64>,
    difference: Option<f64>,
    images: Option<f64>,
    seeds: Option<f64>,
    metric: bool,
    keys: Vec<String>,
    baseline: Vec<String>,
}

/// Reads a table.
pub fn read(table: &Table) -> Result<Shown, PageError> {
    let text = |name: &str| read_text(&table.folder.join(name));
    let path = table.folder.join("cells.csv");
    let (labels, columns, rows) =
        cells(&read_text(&path)?).map_err(|why| PageError::Read { path, why })?;
    let (caption, notes) = around(&text("table.txt")?);
    Ok(Shown {
        name: table.name.clone(),
        caption,
        labels,
        columns,
        rows,
        notes,
        md: text("table.md")?,
        tex: text("table.tex")?,
        csv: text("table.csv")?,
    })
}

fn read_text(path: &Path) -> Result<String, PageError> {
    files::read_to_string(path, MOST).map_err(|e| PageError::Read {
        path: path.to_owned(),
        why: e.to_string(),
    })
}

/// The line above the table as a terminal shows it, and the lines below.
fn around(text: &str) -> (String, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|l| l.starts_with('╭')).unwrap_or(0);
    let end = lines
        .iter()
        .rposition(|l| l.starts_with('╰'))
        .map_or(lines.len(), |at| at + 1);
    let own = |l: &&str| (*l).to_owned();
    (
        lines[..begin].join(" "),
        lines[end..].iter().map(own).collect(),
    )
}

type Cells = (Vec<String>, Vec<String>, Vec<Row>);

/// Labels, columns and rows of `cells.csv`: a line a cell, those of a row together.
fn cells(text: &str) -> Result<Cells, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    let at = |name: &str| {
        // A label may have the same name, and stands before.
        let found = (0..header.len()).rev().find(|at| header[*at] == *name);
        found.ok_or_else(|| format!("it has no column `{name}`"))
    };
    let first = at("column")?;
    let (mut columns, mut rows): (Vec<String>, Vec<Row>) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let number = |name: &str| at(name).map(|at| record[at].parse().ok());
        let words = |name: &str| {
            at(name).map(|at| record[at].split_whitespace().map(String::from).collect())
        };
        let labels: Vec<String> = record.iter().take(first).map(plain).collect();
        let column = plain(&record[first]);
        let cell = Cell {
            value: number("value")?,
            deviation: number("deviation")?,
            delta: number("delta")?,
            low: number("delta_low")?,
            high: number("delta_high")?,
            published: number("published")?,
            difference: number("difference")?,
            images: number("images")?,
            seeds: number("seeds")?,
            metric: !record[at("metric")?].is_empty(),
            keys: words("evaluation_keys")?,
            baseline: words("baseline_keys")?,
        };
        match rows
            .last_mut()
            .filter(|row| row.labels == labels && column != columns[0])
        {
            Some(row) => row.cells.push(cell),
            None => rows.push(Row {
                labels,
                cells: vec![cell],
            }),
        }
        if rows.len() == 1 {
            columns.push(column);
        }
    }
    let labels = header.iter().take(first).map(plain).collect();
    Ok((labels, columns, rows))
}

/// The text that a spreadsheet was kept from taking for a formula.
fn plain(text: &str) -> String {
    match text.strip_prefix('\'') {
        Some(inner)
            if inner
                .trim_start_matches('\'')
                .starts_with(['=', '+', '-', '@', '\t', '\r']) =>
        {
            inner.to_owned()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: &str = "\
scheme,column,value,deviation,delta,delta_low,delta_high,published,published_delta,difference,images,seeds,metric,evaluation_keys,baseline_keys
baseline,photos,29.5,,,,,,,,3,1,psnr,aa,aa
baseline,Average,29.25,,,,,,,,5,1,psnr,aa bb,aa bb
'=SPT,photos,30,,0.5,0.25,0.75,,,,3,1,psnr,cc,aa
'=SPT,Average,,,,,,,,,0,0,psnr,,
";

    #[test]
    fn cells_become_rows() {
        let (labels, columns, rows) = cells(CELLS).unwrap();
        assert_eq!(labels, ["scheme"]);
        assert_eq!(columns, ["photos", "Average"]);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].cells[1].keys, ["aa", "bb"]);
        assert_eq!(rows[1].labels, ["=SPT"]);
        assert_eq!(rows[1].cells[0].low, Some(0.25));
        assert_eq!(rows[1].cells[1].value, None);
        assert!(cells("a,b\n1,2\n").is_err());
    }

    #[test]
    fn what_stands_around_a_table_is_found() {
        let (caption, notes) = around("Caption\n╭──╮\n│ x│\n╰──╯\nOne.\nTwo.\n");
        assert_eq!((caption.as_str(), notes.len()), ("Caption", 2));
        assert_eq!(around("╭╮\n╰╯\n"), (String::new(), Vec::new()));
    }
}
