//! Tables on a terminal that is narrower than they are: columns that have no room follow in a part of their own, behind the
//! same labels; sentences are wrapped, and those that all tables have stand once, below.
//! Unaware of how tables are made: it reads their text.
//!
//! ```text
//!   caption, ╭─┬─╮ box ╰─┴─╯, notes ── Parts ── box: parts of columns ──> text
//!                                           └─ notes: own, common ──> wrapped
//! ```

use std::borrow::Cow;

use console::{measure_text_width, pad_str, truncate_str};

/// What the best value of a group carries below a table.
const BEST: &str = " * best";

/// The text of a table, taken apart.
struct Parts<'t> {
    caption: Vec<&'t str>,
    rows: Vec<&'t str>,
    notes: Vec<&'t str>,
}

/// The texts of tables and figures for a terminal of so many columns, or for no terminal.
pub fn shown(texts: &[String], width: Option<usize>) -> String {
    let parts: Vec<Parts<'_>> = texts.iter().map(|text| taken_apart(text)).collect();
    let common = common(&parts);
    let mut out = String::new();
    for part in &parts {
        out.push('\n');
        for line in &part.caption {
            out += &wrapped(line, width);
        }
        out += &fitted(&part.rows, width);
        for note in &part.notes {
            if !common.contains(&without_best(note)) {
                out += &wrapped(note, width);
            }
        }
    }
    if !common.is_empty() {
        out += "\nOf all of these tables:\n";
        let has_best = parts
            .iter()
            .any(|part| part.notes.iter().any(|n| n.ends_with(BEST)));
        for (n, note) in common.iter().enumerate() {
            let best = if n == 0 && has_best { BEST } else { "" };
            out += &wrapped(&format!("{note}{best}"), width);
        }
    }
    out
}

fn without_best(note: &str) -> &str {
    note.strip_suffix(BEST).unwrap_or(note)
}

/// The notes that every one of several tables has, in the order of the first.
fn common<'t>(parts: &[Parts<'t>]) -> Vec<&'t str> {
    let [first, others @ ..] = parts else {
        return Vec::new();
    };
    let is_everywhere = |note: &&str| {
        others
            .iter()
            .all(|part| part.notes.iter().any(|n| without_best(n) == *note))
    };
    let notes = first.notes.iter().map(|note| without_best(note));
    if others.is_empty() {
        return Vec::new();
    }
    notes.filter(is_everywhere).collect()
}

fn taken_apart(text: &str) -> Parts<'_> {
    let is_box = |line: &str| line.starts_with(['╭', '│', '├', '╰']);
    let lines: Vec<&str> = text.lines().collect();
    let Some(begin) = lines.iter().position(|line| is_box(line)) else {
        return Parts {
            caption: lines,
            rows: Vec::new(),
            notes: Vec::new(),
        };
    };
    let rows = lines[begin..]
        .iter()
        .take_while(|line| is_box(line))
        .count();
    Parts {
        caption: lines[..begin].to_vec(),
        rows: lines[begin..begin + rows].to_vec(),
        notes: lines[begin + rows..].to_vec(),
    }
}

/// A sentence in lines of at most so many columns, broken between words.
fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| measure_text_width(text) > *width) else {
        return format!("{text}\n");
    };
    let (mut out, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let long = measure_text_width(word);
        if used > 0 && used + 1 + long > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += long;
    }
    out + "\n"
}

/// The rows of a box as they are, or in parts where they are too wide.
fn fitted(rows: &[&str], width: Option<usize>) -> String {
    let widest = rows.iter().map(|row| measure_text_width(row)).max();
    let as_it_is = || rows.join("\n") + if rows.is_empty() { "" } else { "\n" };
    let Some(width) = width.filter(|width| widest.unwrap_or(0) > *width) else {
        return as_it_is();
    };
    match cells(rows) {
        Some(cells) => in_parts(&cells, labels(&cells), width),
        None => as_it_is(),
    }
}

/// The cells of all rows, the headings first; none where rows differ in their number of cells.
fn cells<'t>(rows: &[&'t str]) -> Option<Vec<Vec<&'t str>>> {
    let of = |row: &&'t str| -> Option<Vec<&'t str>> {
        let inner = row.strip_prefix('│')?.strip_suffix('│')?;
        Some(inner.split('│').map(str::trim).collect())
    };
    let cells: Vec<Vec<&str>> = rows.iter().filter_map(of).collect();
    let columns = cells.first()?.len();
    cells
        .iter()
        .all(|row| row.len() == columns)
        .then_some(cells)
}

/// How many columns from the left are labels: those before the first that holds a measured number.
fn labels(cells: &[Vec<&str>]) -> usize {
    let is_measured = |cell: &str| {
        let digits = cell.split('.').nth(1).unwrap_or_default();
        let decimals = digits.chars().take_while(char::is_ascii_digit).count();
        decimals >= 3 || matches!(cell, "missing" | "not published")
    };
    let columns = cells[0].len();
    let first = (1..columns).find(|&c| cells[1..].iter().any(|row| is_measured(row[c])));
    first.unwrap_or(1)
}

/// A label is not cut to less.
const SHORTEST: usize = 4;

/// The space between two cells, and the lines around them.
const BETWEEN: usize = 3;

/// Rows of cells, headings first, as boxes of at most so many columns; the first so many cells are labels.
pub fn in_parts(cells: &[Vec<&str>], labels: usize, width: usize) -> String {
    let columns = cells[0].len();
    let widest = |c: usize| {
        cells
            .iter()
            .map(|row| measure_text_width(row[c]))
            .max()
            .unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    // Labels stand in every part: they are cut, the widest first, where one column more would have no room.
    let widest_other = widths[labels..].iter().max().copied().unwrap_or(0);
    let room = width.saturating_sub(1 + widest_other + BETWEEN);
    while widths[..labels].iter().map(|w| w + BETWEEN).sum::<usize>() > room {
        match widths[..labels].iter_mut().max() {
            Some(width) if *width > SHORTEST => *width -= 1,
            _ => break,
        }
    }
    let of_labels: usize = widths[..labels].iter().map(|w| w + BETWEEN).sum();
    let mut out = String::new();
    let mut at = labels;
    while at < columns || at == labels {
        let mut used = 1 + of_labels;
        let begin = at;
        while at < columns && (at == begin || used + widths[at] + BETWEEN <= width) {
            used += widths[at] + BETWEEN;
            at += 1;
        }
        let shown: Vec<usize> = (0..labels).chain(begin..at).collect();
        out += &part(cells, &shown, &widths, labels);
        if at == columns {
            break;
        }
    }
    out
}

fn part(cells: &[Vec<&str>], shown: &[usize], widths: &[usize], labels: usize) -> String {
    let rule = |left: char, middle: &str, right: char| {
        let lines: Vec<String> = shown.iter().map(|c| "─".repeat(widths[*c] + 2)).collect();
        format!("{left}{}{right}\n", lines.join(middle))
    };
    let mut out = rule('╭', "┬", '╮');
    for (n, row) in cells.iter().enumerate() {
        let cell = |c: &usize| -> String {
            let text = truncate_str(row[*c], widths[*c], "…");
            let alignment = match (n, *c < labels) {
                (0, _) => console::Alignment::Center,
                (_, true) => console::Alignment::Left,
                (_, false) => console::Alignment::Right,
            };
            let padded: Cow<'_, str> = pad_str(&text, widths[*c], alignment, None);
            format!(" {padded} ")
        };
        let line: Vec<String> = shown.iter().map(cell).collect();
        out += &format!("│{}│\n", line.join("│"));
        if n == 0 {
            out += &rule('├', "┼", '┤');
        }
    }
    out + &rule('╰', "┴", '╯')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Caption
╭──────────┬─────────┬─────────┬────────────────────╮
│  scheme  │  PSNR   │    Δ    │ 95 % interval of Δ │
├──────────┼─────────┼─────────┼────────────────────┤
│ baseline │ 29.2405 │       – │                  – │
│ SPT      │ 29.2966 │ +0.0561 │ [+0.0417, +0.0798] │
╰──────────┴─────────┴─────────┴────────────────────╯
PSNR of something long that is to be wrapped. * best
Only here.
";

    #[test]
    fn a_table_that_has_room_stays_as_it_is() {
        let text = shown(&[TABLE.to_owned()], Some(120));
        assert_eq!(text, format!("\n{TABLE}"));
        assert_eq!(shown(&[TABLE.to_owned()], None), format!("\n{TABLE}"));
    }

    #[test]
    fn columns_without_room_follow_behind_the_same_labels() {
        for width in [24, 30, 40, 50] {
            let text = shown(&[TABLE.to_owned()], Some(width));
            let widest = text.lines().map(measure_text_width).max();
            // A cell is never cut: the narrowest line is that of one label and one column.
            assert!(widest.unwrap_or(0) <= width.max(34), "{width}:\n{text}");
            for cell in ["29.2966", "+0.0561", "[+0.0417, +0.0798]"] {
                assert!(text.contains(cell), "{text}");
            }
            assert!(text.matches("│ SPT").count() > 1, "{text}");
        }
    }

    #[test]
    fn what_all_tables_say_stands_once() {
        let other = TABLE
            .replace(" * best", "")
            .replace("Only here.", "Only there.");
        let text = shown(&[TABLE.to_owned(), other], None);
        assert_eq!(text.matches("PSNR of something").count(), 1, "{text}");
        assert!(text.contains("wrapped. * best\n"), "{text}");
        assert!(text.contains("╯\nOnly here.\n"), "{text}");
        assert!(text.contains("╯\nOnly there.\n"), "{text}");
    }
}
