//! Puts published values beside measured ones: each in the cell whose labels it has, and in a row of its own where
//! nothing was measured for it.
//! Unaware of files.

use std::collections::BTreeSet;

use spec::labels::NONE;

use super::layout::{Cell, Column, Grid, ODD, Row, Stated, head};
use super::number::signed;
use super::published::{AVERAGE, Entry, Place, Published, plain};
use super::read::ReportError;

/// Attaches every published value to the grid, or says which fits several cells.
pub(super) fn attach(grid: &mut Grid, published: &Published) -> Result<(), ReportError> {
    grid.published = true;
    let mut left = Vec::new();
    for entry in &published.entries {
        let cells = fitting(grid, entry);
        match cells.as_slice() {
            [] => left.push(entry),
            [(row, column)] => {
                let value = comparable(grid, (*row, *column), entry, &published.entries);
                grid.rows[*row].cells[*column].published = Some(value);
            }
            _ => return Err(ambiguous(published, entry, cells.len())),
        }
    }
    baselines(grid, &published.baselines);
    for entry in left {
        add(grid, entry);
    }
    grid.notes
        .push("Published: as printed. Difference: measured − published.".into());
    grid.notes.extend(footnote(grid));
    Ok(())
}

fn ambiguous(published: &Published, entry: &Entry, cells: usize) -> ReportError {
    ReportError::Published {
        path: published.path.clone(),
        line: entry.line,
        why: format!(
            "this value fits {cells} cells of the table; say by `published_for` what it is about"
        ),
    }
}

/// Rows and columns of the cells that a published value is about.
fn fitting(grid: &Grid, entry: &Entry) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (r, row) in grid.rows.iter().enumerate() {
        for (c, column) in grid.columns.iter().enumerate() {
            if fits(grid, row, column, &row.cells[c], entry) {
                found.push((r, c));
            }
        }
    }
    found
}

fn fits(grid: &Grid, row: &Row, column: &Column, cell: &Cell, entry: &Entry) -> bool {
    let heading = match column {
        Column::Metric(heading) | Column::Average(heading) => heading,
        Column::Value(_) | Column::Score(_) => return false,
    };
    if let Place::Column(wanted) = &entry.place {
        let labels = grid.labels.iter().zip(&row.labels);
        return heading == wanted
            && !cell.labels.is_empty()
            && labels
                .filter_map(|(name, text)| Some((entry.labels.get(name)?, plain(name, text))))
                .all(|(wanted, own)| *wanted == own);
    }
    says(cell, entry) && in_place(grid, column, cell, &entry.place)
}

/// Whether all that is measured in the cell has the labels of the published value.
fn says(cell: &Cell, entry: &Entry) -> bool {
    let has = |label: &str, wanted: &String| {
        let own = |of: &std::collections::BTreeMap<String, String>| {
            of.get(label)
                .is_some_and(|text| plain(label, text) == *wanted)
        };
        cell.labels.iter().all(own)
    };
    !cell.labels.is_empty()
        && entry
            .labels
            .iter()
            .all(|(label, wanted)| has(label, wanted))
}

fn in_place(grid: &Grid, column: &Column, cell: &Cell, place: &Place) -> bool {
    let sets = sets(cell);
    let is_average = matches!(column, Column::Average(_));
    match place {
        Place::Set(Some(set)) if set == AVERAGE => {
            is_average && (grid.across.is_some() || sets.len() > 1)
        }
        Place::Set(Some(set)) => {
            (!is_average || grid.is_single()) && sets == BTreeSet::from([set.clone()])
        }
        Place::Set(None) => is_average && grid.is_single(),
        Place::Column(_) => false,
    }
}

fn sets(cell: &Cell) -> BTreeSet<String> {
    let set = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get("set").map(|s| plain("set", s))
    };
    cell.labels.iter().filter_map(set).collect()
}

/// An average is compared with one over the same sets only.
fn comparable(grid: &Grid, (row, column): (usize, usize), entry: &Entry, all: &[Entry]) -> Stated {
    let mut value = entry.value.clone();
    if entry.place == Place::Set(Some(AVERAGE.into())) {
        let siblings = all.iter().filter(|e| e.labels == entry.labels);
        let published: BTreeSet<String> = siblings
            .filter_map(|e| match &e.place {
                Place::Set(Some(set)) if set != AVERAGE => Some(set.clone()),
                _ => None,
            })
            .collect();
        value.comparable = published == sets(&grid.rows[row].cells[column]);
    }
    value
}

/// Published baselines of another file, beside measured baselines that have none.
fn baselines(grid: &mut Grid, baselines: &[Entry]) {
    for entry in baselines {
        for (row, column) in fitting(grid, entry) {
            let cell = &mut grid.rows[row].cells[column];
            if cell.published.is_none() {
                cell.published = Some(entry.value.clone());
            }
        }
    }
}

/// A published value that nothing was measured for gets a cell of its own. An average in a table without averages is
/// left out.
fn add(grid: &mut Grid, entry: &Entry) {
    let Some(column) = column_of(grid, entry) else {
        return;
    };
    let labels: Vec<String> = grid.labels.iter().map(|l| shown(l, entry)).collect();
    let empty = |row: &&mut Row| {
        row.labels == labels
            && row.cells[column].labels.is_empty()
            && row.cells[column].published.is_none()
    };
    if let Some(row) = grid.rows.iter_mut().find(empty) {
        row.cells[column].published = Some(entry.value.clone());
        return;
    }
    let mut cells = vec![Cell::default(); grid.columns.len()];
    cells[column].published = Some(entry.value.clone());
    let last = grid
        .rows
        .iter()
        .rposition(|r| head(&r.labels) == head(&labels));
    let at = last
        .filter(|_| labels.len() > 1)
        .map_or(grid.rows.len(), |at| at + 1);
    grid.rows.insert(at, Row { labels, cells });
}

/// The column that a published value belongs to; a new one where nothing was measured on its set.
fn column_of(grid: &mut Grid, entry: &Entry) -> Option<usize> {
    let average = |c: &Column| matches!(c, Column::Average(_));
    let heading = match (&entry.place, grid.across.as_deref()) {
        (Place::Set(Some(set)), Some(_)) if set == AVERAGE => {
            return grid.columns.iter().position(average);
        }
        (Place::Set(_), None) => return grid.columns.iter().position(average),
        (Place::Set(_), Some(across)) => shown(across, entry),
        (Place::Column(heading), _) => heading.clone(),
    };
    let own = |c: &Column| match c {
        Column::Metric(h) | Column::Average(h) => plain("set", h) == plain("set", &heading),
        Column::Value(_) | Column::Score(_) => false,
    };
    if let Some(at) = grid.columns.iter().position(own) {
        return Some(at);
    }
    let is_metric = |c: &Column| matches!(c, Column::Metric(_));
    let at = grid
        .columns
        .iter()
        .rposition(is_metric)
        .map_or(0, |at| at + 1);
    grid.columns.insert(at, Column::Metric(heading));
    for row in &mut grid.rows {
        row.cells.insert(at, Cell::default());
    }
    Some(at)
}

/// A label of a published value as tables write it.
fn shown(label: &str, entry: &Entry) -> String {
    let Some(said) = entry.said.get(label) else {
        return NONE.into();
    };
    let own = plain(label, said);
    match (label, own.as_str()) {
        ("scale", scale) => format!("×{scale}"),
        ("locations", last) => format!("B1–B{last}"),
        ("backbone", name) => name.to_uppercase(),
        ("scheme", "spt") => "SPT".into(),
        ("scheme", "fullfinetuning") => "full fine-tuning".into(),
        ("alpha" | "sigma", number) => number.into(),
        _ => said.clone(),
    }
}

/// Which printed differences the printed values contradict.
fn footnote(grid: &Grid) -> Option<String> {
    let mut odd = Vec::new();
    for row in &grid.rows {
        for value in row.cells.iter().filter_map(|c| c.published.as_ref()) {
            if let (Some(delta), Some(implied)) = (value.delta, value.implied) {
                let labels = row.labels.join(" ");
                odd.push(format!(
                    "{labels}: {} and {}",
                    signed(delta),
                    signed(implied)
                ));
            }
        }
    }
    (!odd.is_empty()).then(|| {
        format!(
            "{ODD} The published Δ is not the difference of the published values ({}).",
            odd.join("; ")
        )
    })
}
