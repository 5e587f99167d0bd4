//! Compares a table with what it is expected to show, within a tolerance.
//! Unaware of exit codes.

use std::path::Path;

use spec::kinds::Table;

use super::compare;
use super::grid;
use super::layout::{Cell, Column, Grid, Row, heading};
use super::number::{number, signed};
use super::published::Published;
use super::read::{Evaluation, ReportError};

/// How a table compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Cells that something was expected of.
    pub compared: usize,
    /// Those that are not as expected, in words.
    pub wrong: Vec<String>,
}

/// Compares the metric's cells; Δ and facts about models follow from them or are no results.
///
/// The last digit of a float is no reason to fail: 1e-9 is added to the tolerance.
pub fn check(
    table: &Table,
    from: &[Evaluation],
    baseline: &[Evaluation],
    expected: &Path,
    tolerance: f64,
) -> Result<Checked, ReportError> {
    let expected = Published::expected(expected, table)?;
    let mut grid = grid::build(table, from, baseline)?;
    compare::attach(&mut grid, &expected)?;
    let mut checked = Checked {
        compared: 0,
        wrong: Vec::new(),
    };
    for (row, cell, column) in cells(&grid) {
        let Some(expected) = &cell.published else {
            continue;
        };
        checked.compared += 1;
        let shown = |v: f64| number(v, column);
        let found = match (cell.value, cell.difference()) {
            (None, _) => "missing".into(),
            (Some(_), None) => "an average over other sets".into(),
            (Some(_), Some(d)) if d.abs() <= tolerance + 1e-9 => continue,
            (Some(v), Some(d)) => format!("found {} ({})", shown(v), signed(d)),
        };
        let labels = row.labels.join(", ");
        let expected = shown(expected.value);
        let text = format!(
            "{labels}, {}: expected {expected}, {found}",
            heading(column)
        );
        checked.wrong.push(text);
    }
    Ok(checked)
}

fn cells(grid: &Grid) -> impl Iterator<Item = (&Row, &Cell, &Column)> {
    grid.rows.iter().flat_map(|row| {
        let cells = row.cells.iter().zip(&grid.columns);
        cells.map(move |(cell, column)| (row, cell, column))
    })
}

#[cfg(test)]
mod tests {
    use crate::table::tests::{Bench, table};
    use crate::table::{csv, grid};

    use super::{Checked, Evaluation, check};

    fn from(bench: &Bench) -> Vec<Evaluation> {
        let labels = |scheme| [("scheme", scheme), ("set", "Manga109")];
        vec![
            bench.score("k0", &labels("baseline"), &[32.0, 32.6]),
            bench.score("k1", &labels("SPT"), &[32.1, 32.84]),
        ]
    }

    fn checked(bench: &Bench, expected: &str, tolerance: f64) -> Checked {
        let file = bench.file("expected.csv", expected);
        let from = from(bench);
        check(&table(&["scheme"]), &from, &from[..1], &file, tolerance).unwrap()
    }

    #[test]
    fn what_a_run_wrote_is_what_it_is_checked_against() {
        let bench = Bench::new();
        let from = from(&bench);
        let grid = grid::build(&table(&["scheme"]), &from, &from[..1]).unwrap();
        let cells = csv::cells(&grid).unwrap();
        assert_eq!(
            checked(&bench, &cells, 0.0),
            Checked {
                compared: 2,
                wrong: vec![]
            }
        );
        let table = csv::table(&grid).unwrap();
        assert_eq!(checked(&bench, &table, 0.0).wrong, Vec::<String>::new());
        let moved = cells.replace(",32.47,", ",32.5,");
        assert_ne!(moved, cells);
        assert_eq!(checked(&bench, &moved, 0.03).wrong, Vec::<String>::new());
        assert_eq!(
            checked(&bench, &moved, 0.02).wrong,
            ["SPT, PSNR: expected 32.5000, found 32.4700 (-0.0300)"]
        );
    }

    #[test]
    fn published_values_are_found_by_their_labels_and_missing_ones_are_wrong() {
        let bench = Bench::new();
        let file = "scheme,dataset,psnr_db,delta_db,iterations\n\
                    baseline,Manga109,32.31,,\nspt,Manga109,32.47,+0.16,8000\nfull,Manga109,32.5,+0.2,15000\n";
        let found = checked(&bench, file, 0.02);
        assert_eq!(found.compared, 3);
        assert_eq!(
            found.wrong,
            ["full fine-tuning, PSNR: expected 32.5000, missing"]
        );
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        let bench = Bench::new();
        let refused = |text: &str| {
            let file = bench.file("e.csv", text);
            let from = from(&bench);
            check(&table(&["scheme"]), &from, &[], &file, 0.02)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("a,b\n1,2\n").contains("e.csv:1: this is no cells.csv"));
        assert!(refused("scheme,PSNR\n").contains("there is no value in it"));
        assert!(refused("scheme,PSNR\nSPT,much\n").contains("e.csv:2: `much` is not a number"));
    }
}
