//! A grid as cells of text, in the lines and columns that people see.
//! Unaware of terminals, Markdown and LaTeX.
//!
//! With one column of the metric, Δ, its interval, published values and differences have columns of their own. With
//! several they would be too many: then they are lines of their own below the measured one.

use spec::kinds::LatexWidth;
use spec::labels::NONE;

use super::layout::{Cell, Column, Grid, ODD, Row, heading};
use super::number::{between, number, signed};

/// What a cell that could not be computed shows.
const MISSING: &str = "missing";
/// The same of a value that nobody published.
const UNPUBLISHED: &str = "not published";

/// A table as text.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub caption: String,
    /// How many columns from the left are labels.
    pub labels: usize,
    pub latex: LatexWidth,
    pub headings: Vec<String>,
    pub lines: Vec<Vec<Text>>,
    pub notes: Vec<String>,
}

/// A cell of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pub text: String,
    /// Whether it is the best of its group.
    pub best: bool,
}

impl Text {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            best: false,
        }
    }
}

/// The whole table.
pub(super) fn sheet(grid: &Grid) -> Sheet {
    if grid.is_single() {
        single(grid)
    } else {
        wide(grid)
    }
}

/// What belongs to the only column of the metric and has a column of its own.
#[derive(Clone, Copy)]
enum Beside {
    Delta,
    Interval,
    Published,
    PublishedDelta,
    Difference,
}

impl Beside {
    const fn heading(self) -> &'static str {
        match self {
            Self::Delta => "Δ",
            Self::Interval => "95 % interval of Δ",
            Self::Published => "published",
            Self::PublishedDelta => "published Δ",
            Self::Difference => "difference",
        }
    }

    fn text(self, cell: &Cell) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.into());
        match self {
            Self::Delta => match cell.delta {
                Some(delta) => signed(delta),
                // The baseline has no difference to itself.
                None if cell.is_baseline || cell.is_foreign => NONE.into(),
                None => MISSING.into(),
            },
            Self::Interval => or_none(cell.interval.map(between)),
            Self::Published => match &cell.published {
                Some(published) => format!("{:.4}", published.value),
                None => UNPUBLISHED.into(),
            },
            Self::PublishedDelta => or_none(published_delta(cell)),
            Self::Difference => or_none(cell.difference().map(signed)),
        }
    }
}

fn published_delta(cell: &Cell) -> Option<String> {
    let published = cell.published.as_ref()?;
    let mark = published.implied.map_or("", |_| ODD);
    published.delta.map(|delta| signed(delta) + mark)
}

fn besides(grid: &Grid, column: usize) -> Vec<Beside> {
    let any = |test: fn(&Cell) -> bool| grid.rows.iter().any(|r| test(&r.cells[column]));
    let wanted = [
        (Beside::Delta, grid.has_baseline),
        (Beside::Interval, any(|c| c.interval.is_some())),
        (Beside::Published, grid.published),
        (
            Beside::PublishedDelta,
            any(|c| c.published.as_ref().is_some_and(|p| p.delta.is_some())),
        ),
        (Beside::Difference, grid.published),
    ];
    let wanted = wanted.into_iter().filter(|(_, wanted)| *wanted);
    wanted.map(|(beside, _)| beside).collect()
}

fn single(grid: &Grid) -> Sheet {
    let mut headings = grid.labels.clone();
    let mut lines: Vec<Vec<Text>> = grid.rows.iter().map(labels).collect();
    for (c, column) in grid.columns.iter().enumerate() {
        headings.push(heading(column));
        for (line, row) in lines.iter_mut().zip(&grid.rows) {
            line.push(measured(&row.cells[c], column));
        }
        if !column.is_metric() {
            continue;
        }
        for beside in besides(grid, c) {
            headings.push(beside.heading().into());
            for (line, row) in lines.iter_mut().zip(&grid.rows) {
                line.push(Text::plain(beside.text(&row.cells[c])));
            }
        }
    }
    finish(grid, grid.labels.len(), headings, lines)
}

fn labels(row: &Row) -> Vec<Text> {
    row.labels.iter().map(Text::plain).collect()
}

fn wide(grid: &Grid) -> Sheet {
    let has_interval = |row: &Row| row.cells.iter().any(|c| c.interval.is_some());
    let named = grid.published || grid.rows.iter().any(has_interval);
    let mut lines = Vec::new();
    for row in &grid.rows {
        let mut kinds = vec![Line::Measured];
        kinds.extend(has_interval(row).then_some(Line::Interval));
        if grid.published {
            kinds.extend([Line::Published, Line::Difference]);
        }
        for (n, kind) in kinds.into_iter().enumerate() {
            let mut line = match n {
                0 => labels(row),
                _ => vec![Text::default(); row.labels.len()],
            };
            if named {
                line.push(Text::plain(kind.name()));
            }
            let cells = row.cells.iter().zip(&grid.columns);
            line.extend(cells.map(|(cell, column)| kind.text(cell, column)));
            lines.push(line);
        }
    }
    let mut headings = grid.labels.clone();
    headings.extend(named.then(String::new));
    headings.extend(grid.columns.iter().map(heading));
    let labels = grid.labels.len() + usize::from(named);
    finish(grid, labels, headings, lines)
}

/// A line of a row of a table with several columns of the metric.
#[derive(Clone, Copy)]
enum Line {
    Measured,
    Interval,
    Published,
    Difference,
}

impl Line {
    const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Interval => "95 % interval of Δ",
            Self::Published => "published",
            Self::Difference => "difference",
        }
    }

    fn text(self, cell: &Cell, column: &Column) -> Text {
        if !column.is_metric() && !matches!(self, Self::Measured) {
            return Text::default();
        }
        match self {
            Self::Measured => {
                let Text { text, best } = measured(cell, column);
                let text = text + &in_brackets(cell.delta.map(signed));
                Text { text, best }
            }
            Self::Interval => Text::plain(cell.interval.map(between).unwrap_or_default()),
            Self::Published => Text::plain(match &cell.published {
                Some(p) => format!("{:.4}", p.value) + &in_brackets(published_delta(cell)),
                None => UNPUBLISHED.into(),
            }),
            Self::Difference => Text::plain(cell.difference().map_or(NONE.into(), signed)),
        }
    }
}

fn in_brackets(text: Option<String>) -> String {
    text.map_or(String::new(), |text| format!(" ({text})"))
}

fn measured(cell: &Cell, column: &Column) -> Text {
    let text = match (cell.value, column) {
        (Some(value), _) => {
            let deviation = cell.deviation.map(|d| format!(" ± {}", number(d, column)));
            number(value, column) + &deviation.unwrap_or_default()
        }
        // A model that was not trained here has no iterations: that is no failure to compute.
        (None, Column::Value(_) | Column::Score(_)) => NONE.into(),
        (None, _) if cell.is_foreign => NONE.into(),
        (None, _) => MISSING.into(),
    };
    Text {
        text,
        best: cell.best,
    }
}

fn finish(grid: &Grid, labels: usize, headings: Vec<String>, lines: Vec<Vec<Text>>) -> Sheet {
    Sheet {
        caption: grid.caption.clone(),
        labels,
        latex: grid.latex,
        headings,
        lines,
        notes: grid.notes.clone(),
    }
}
