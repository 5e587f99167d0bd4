//! Tables from evaluations: a grid of cells, then text, CSV, Markdown and LaTeX.
//! Unaware of running anything; it reads the outputs it is pointed at.
//!
//! ```text
//!   Table (rows, columns, baseline)     evaluations: labels, key, metrics.csv, summary.json     published CSV
//!               \                         /                                                          |
//!                v                       v                                                           |
//!                 grid: a cell is a mean over images (cell), its Δ with an interval (interval),      |
//!                  |    its keys, or missing                                                         |
//!                  |<── compare: each published value beside the cell whose labels it has <── published
//!                  |
//!                  +──> sheet: the cells as text, in lines and columns ──> text, Markdown, LaTeX (write)
//!                  |      ^── notes: protocol, start of units, intervals, overlaps, footnotes
//!                  +──> curves.svg: validation PSNR over iterations (curves, from each training's steps.csv)
//!                  +──> table.csv, cells.csv: numbers, the latter in full precision with the keys they come from (csv)
//! ```
//!
//! To add a form of table: usually only YAML; a new column is a variant of `spec::kinds::TableValue` and an arm in
//! `cell`.

mod cell;
mod check;
mod compare;
mod csv;
mod curves;
pub(crate) mod escape;
mod grid;
mod interval;
mod layout;
mod notes;
mod number;
mod overlap;
mod published;
mod read;
mod scores;
mod sheet;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;

pub use check::{Checked, check};
pub use escape::guarded;
pub use grid::build;
pub use layout::{Cell, Column, Grid, Row};
pub use published::Published;
pub use read::{Evaluation, ReportError, Scores, read_scores};
pub use scores::ScoreFile;
pub(super) use sheet::{Sheet, Text};
pub(super) use write::{latex, markdown, text};

/// Builds the table and writes its files into `out`; returns what a terminal shows.
pub fn write(
    table: &spec::kinds::Table,
    from: &[Evaluation],
    baseline: &[Evaluation],
    scores: &[ScoreFile],
    out: &Path,
) -> Result<String, ReportError> {
    let mut grid = grid::build(table, from, baseline)?;
    if let Some(published) = published::of(table)? {
        compare::attach(&mut grid, &published)?;
    }
    scores::attach(&mut grid, scores)?;
    let sheet = sheet::sheet(&grid);
    let text = write::text(&sheet);
    let mut files = vec![
        ("table.txt", text.clone()),
        ("table.csv", csv::table(&grid)?),
        ("table.md", write::markdown(&sheet)),
        ("table.tex", write::latex(&sheet)),
        ("cells.csv", csv::cells(&grid)?),
    ];
    if table.curves {
        files.push(("curves.svg", curves::svg(table, from)?));
    }
    for (name, content) in files {
        let path = out.join(name);
        std::fs::write(&path, content).map_err(|source| ReportError::Write { path, source })?;
    }
    Ok(text)
}
