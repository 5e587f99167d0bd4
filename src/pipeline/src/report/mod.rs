//! Tables from evaluations: a grid of cells, then text, CSV, Markdown and LaTeX.
//! Unaware of running anything; it reads the outputs it is pointed at.
//!
//! ```text
//!   Table (rows, columns, baseline)     evaluations: labels, key, metrics.csv, summary.json
//!               \                         /
//!                v                       v
//!                 grid: a cell is a mean over images, its Δ, its key, or missing
//!                  |
//!                  +──> table.txt (tabled)   table.csv   table.md   table.tex (booktabs)
//!                  +──> cells.csv: every cell in full precision with the key it comes from
//! ```
//!
//! To add a form of table: usually only YAML; a new column is a variant of `spec::kinds::TableValue` and an arm in
//! `grid`.

pub mod graph;
mod grid;
mod read;
mod render;

use std::path::Path;

pub use grid::{Cell, Column, Grid, Row, build};
pub use read::{Evaluation, ReportError, Scores, read_scores};

/// Builds the table and writes its five files into `out`; returns what a terminal shows.
pub fn write(
    table: &spec::kinds::Table,
    from: &[Evaluation],
    baseline: &[Evaluation],
    out: &Path,
) -> Result<String, ReportError> {
    let grid = grid::build(table, from, baseline)?;
    let text = render::text(&grid);
    let files = [
        ("table.txt", text.clone()),
        ("table.csv", render::csv(&grid)?),
        ("table.md", render::markdown(&grid)),
        ("table.tex", render::latex(&grid)),
        ("cells.csv", render::cells(&grid)?),
    ];
    for (name, content) in files {
        let path = out.join(name);
        std::fs::write(&path, content).map_err(|source| ReportError::Write { path, source })?;
    }
    Ok(text)
}
