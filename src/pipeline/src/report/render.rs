//! Writes a grid as text, CSV, Markdown and LaTeX; four decimals as the paper prints.
//! Unaware of where the numbers come from.

use spec::kinds::TableValue;
use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Style};

use super::grid::{Cell, Column, Grid};
use super::read::ReportError;

/// What a cell that could not be computed shows.
const MISSING: &str = "missing";

/// For the terminal: the best value of a group carries a star.
pub(super) fn text(grid: &Grid) -> String {
    let mut builder = Builder::default();
    builder.push_record(headings(grid));
    for row in &grid.rows {
        let star = |c: &Cell| if c.best { "*" } else { "" };
        let cells = row
            .cells
            .iter()
            .zip(&grid.columns)
            .map(|(c, column)| format!("{}{}", shown(c, column), star(c)));
        builder.push_record(row.labels.iter().cloned().chain(cells));
    }
    let mut table = builder.build();
    table.with(Style::rounded());
    table.modify(Columns::new(grid.labels.len()..), Alignment::right());
    table.modify(Rows::first(), Alignment::center());
    let best = if grid.rows.iter().any(|r| r.cells.iter().any(|c| c.best)) {
        " * best"
    } else {
        ""
    };
    let lines = [
        grid.caption.clone(),
        table.to_string(),
        format!("{}{best}", grid.protocol),
        grid.note.clone(),
    ];
    let lines: Vec<String> = lines.into_iter().filter(|l| !l.is_empty()).collect();
    lines.join("\n") + "\n"
}

/// As the table stands, Δ in columns of its own, missing cells empty.
pub(super) fn csv(grid: &Grid) -> Result<String, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = grid.labels.clone();
    for column in &grid.columns {
        header.push(heading(column));
        if has_delta(grid, column) {
            header.push(format!("{} Δ", heading(column)));
        }
    }
    put(&mut writer, &header)?;
    for row in &grid.rows {
        let mut record = row.labels.clone();
        for (cell, column) in row.cells.iter().zip(&grid.columns) {
            // Thousands are parted by spaces for people, not for programs.
            record.push(
                cell.value
                    .map_or(String::new(), |v| number(v, column).replace(' ', "")),
            );
            if has_delta(grid, column) {
                record.push(cell.delta.map_or(String::new(), signed));
            }
        }
        put(&mut writer, &record)?;
    }
    finish(writer)
}

/// Every cell in full precision, with the keys it comes from: the trace from a printed number to its origin.
pub(super) fn cells(grid: &Grid) -> Result<String, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fixed = ["column", "value", "delta", "images", "evaluation_keys"];
    let header: Vec<String> = grid
        .labels
        .iter()
        .cloned()
        .chain(fixed.map(String::from))
        .collect();
    put(&mut writer, &header)?;
    for row in &grid.rows {
        for (cell, column) in row.cells.iter().zip(&grid.columns) {
            let plain = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
            let facts = [
                heading(column),
                plain(cell.value),
                plain(cell.delta),
                cell.images.to_string(),
                cell.keys.join(" "),
            ];
            put(
                &mut writer,
                &row.labels.iter().cloned().chain(facts).collect::<Vec<_>>(),
            )?;
        }
    }
    finish(writer)
}

/// GitHub's Markdown; best values bold.
pub(super) fn markdown(grid: &Grid) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let escape = |s: &str| s.replace('|', "\\|");
    let mut out = String::new();
    if !grid.caption.is_empty() {
        out += &format!("**{}**\n\n", grid.caption);
    }
    out += &line(&headings(grid).iter().map(|h| escape(h)).collect::<Vec<_>>());
    let rules = grid
        .labels
        .iter()
        .map(|_| "---")
        .chain(grid.columns.iter().map(|_| "---:"));
    out += &line(&rules.map(String::from).collect::<Vec<_>>());
    for row in &grid.rows {
        let bold = |c: &Cell, s: String| if c.best { format!("**{s}**") } else { s };
        let cells = row
            .cells
            .iter()
            .zip(&grid.columns)
            .map(|(c, column)| bold(c, shown(c, column)));
        out += &line(
            &row.labels
                .iter()
                .map(|l| escape(l))
                .chain(cells)
                .collect::<Vec<_>>(),
        );
    }
    out += &format!("\n{}", grid.protocol);
    if !grid.note.is_empty() {
        out += &format!(" {}", grid.note);
    }
    out + "\n"
}

/// A booktabs table; best values bold.
pub(super) fn latex(grid: &Grid) -> String {
    let mut out = String::from("% needs \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n");
    if !grid.caption.is_empty() {
        out += &format!("  \\caption{{{}}}\n", tex(&grid.caption));
    }
    let columns = "l".repeat(grid.labels.len()) + &"r".repeat(grid.columns.len());
    out += &format!("  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n");
    let heads: Vec<String> = headings(grid).iter().map(|h| tex(h)).collect();
    out += &format!("    {} \\\\\n    \\midrule\n", heads.join(" & "));
    for row in &grid.rows {
        let bold = |c: &Cell, s: String| {
            if c.best {
                format!("\\textbf{{{s}}}")
            } else {
                s
            }
        };
        let cells = row
            .cells
            .iter()
            .zip(&grid.columns)
            .map(|(c, column)| bold(c, tex(&shown(c, column))));
        let all: Vec<String> = row.labels.iter().map(|l| tex(l)).chain(cells).collect();
        out += &format!("    {} \\\\\n", all.join(" & "));
    }
    out += "    \\bottomrule\n  \\end{tabular}\n";
    let note = format!("{} {}", grid.protocol, grid.note);
    out + &format!(
        "  \\par\\smallskip\\footnotesize {}\n\\end{{table}}\n",
        tex(note.trim())
    )
}

fn headings(grid: &Grid) -> Vec<String> {
    grid.labels
        .iter()
        .cloned()
        .chain(grid.columns.iter().map(heading))
        .collect()
}

fn heading(column: &Column) -> String {
    match column {
        Column::Metric(text) | Column::Average(text) => text.clone(),
        Column::Delta => "Δ".into(),
        Column::Value(TableValue::Ssim) => "SSIM".into(),
        Column::Value(TableValue::Iterations) => "iterations".into(),
        Column::Value(TableValue::Trainable) => "trainable parameters".into(),
        Column::Value(TableValue::Masks) => "masks found".into(),
        Column::Value(TableValue::Seconds) => "seconds".into(),
        Column::Value(TableValue::PeakMemory) => "peak memory (MiB)".into(),
    }
}

/// Whether a column has differences that have no column of their own.
fn has_delta(grid: &Grid, column: &Column) -> bool {
    let metric = matches!(column, Column::Metric(_) | Column::Average(_));
    let own = grid.columns.contains(&Column::Delta);
    let at = grid.columns.iter().position(|c| c == column);
    metric && !own && at.is_some_and(|at| grid.rows.iter().any(|r| r.cells[at].delta.is_some()))
}

fn shown(cell: &Cell, column: &Column) -> String {
    match (cell.value, column) {
        (None, _) if cell.blank => spec::labels::NONE.into(),
        // A model that was not trained here has no iterations: that is no failure to compute.
        (None, Column::Value(_)) => spec::labels::NONE.into(),
        (None, _) => MISSING.into(),
        (Some(value), Column::Delta) => signed(value),
        (Some(value), Column::Metric(_)) => {
            let delta = cell
                .delta
                .map_or(String::new(), |d| format!(" ({})", signed(d)));
            number(value, column) + &delta
        }
        (Some(value), Column::Average(heading)) if heading == "Average" => {
            let delta = cell
                .delta
                .map_or(String::new(), |d| format!(" ({})", signed(d)));
            number(value, column) + &delta
        }
        (Some(value), _) => number(value, column),
    }
}

fn number(value: f64, column: &Column) -> String {
    match column {
        Column::Value(TableValue::Iterations | TableValue::Trainable) => thousands(value as u64),
        Column::Value(TableValue::Masks | TableValue::Seconds) => format!("{value:.1}"),
        Column::Value(TableValue::PeakMemory) => format!("{value:.0}"),
        Column::Delta => signed(value),
        Column::Metric(_) | Column::Average(_) | Column::Value(TableValue::Ssim) => {
            format!("{value:.4}")
        }
    }
}

fn signed(value: f64) -> String {
    let text = format!("{value:+.4}");
    // A difference that rounds to nothing has no sign.
    if text.ends_with("0.0000") {
        "0.0000".into()
    } else {
        text
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

fn tex(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '#' | '_' | '$' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '×' => out += "$\\times$",
            'Δ' => out += "$\\Delta$",
            'α' => out += "$\\alpha$",
            'σ' => out += "$\\sigma$",
            '–' => out += "--",
            other => out.push(other),
        }
    }
    out
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
