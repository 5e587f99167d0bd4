//! Tables on a terminal that is narrower than they are: columns that have no room follow in a part of their own, behind the
//! same labels; sentences are wrapped, and those that all tables have stand once, below.
//! Unaware of how tables are made: it reads their text.
//!
//! ```text
//!   caption, ╭─┬─╮ box ╰─┴─╯, notes ── Parts ── box: parts of columns ──> text
//!                                           └─ notes: own, common ──> wrapped
//! ```

use std::borrow::Cow;

use console::{measure_text_width, pad_str};

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

/// Lines that have no room are broken between words; what follows of one stands further in than it. What stands in backticks
/// is to be typed and stays together, and so does a path.
pub fn hanging(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if measure_text_width(line.trim_end()) <= width {
            out += line;
            continue;
        }
        let indent = line.len() - line.trim_start_matches(' ').len() + 2;
        let (mut used, mut is_broken) = (0, false);
        for (n, word) in phrases(line.trim_end()).into_iter().enumerate() {
            let long = measure_text_width(word);
            if n > 0 && used > indent && used + 1 + long > width {
                out.truncate(out.trim_end_matches(' ').len());
                out += &format!("\n{}", " ".repeat(indent));
                (used, is_broken) = (indent, true);
            } else if n > 0 && !(is_broken && used == indent && word.is_empty()) {
                out.push(' ');
                used += 1;
            }
            out += word;
            used += long;
        }
        out.push('\n');
    }
    out
}

/// The same of diagnostics: what they quote of a file stays as it is, above its marks.
pub fn around_quotes(text: &str, width: Option<usize>) -> String {
    let is_quote = |line: &str| {
        let number = line.trim_start_matches(' ');
        let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.starts_with(" | ") || rest.starts_with("| ")
    };
    let fitted = |line: &str| {
        if is_quote(line) {
            line.to_owned()
        } else {
            hanging(line, width)
        }
    };
    text.split_inclusive('\n').map(fitted).collect()
}

/// The words of a sentence, what stands in backticks as one.
fn phrases(line: &str) -> Vec<&str> {
    let (mut words, mut begin, mut is_quoted) = (Vec::new(), 0, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '`' => is_quoted = !is_quoted,
            ' ' if !is_quoted => {
                words.push(&line[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    words.push(&line[begin..]);
    words
}

/// A line with a remark behind it, which is left out where there is no room.
pub fn with_remark(line: &str, remark: &str, width: Option<usize>) -> String {
    let both = format!("{line}{remark}");
    let has_room = width.is_none_or(|width| measure_text_width(&both) <= width);
    if has_room {
        both + "\n"
    } else {
        format!("{line}\n")
    }
}

/// A command to be typed, behind a label. One that has no room in a line goes on in the next, as a shell reads it.
pub fn command(label: &str, line: &str, remark: &str, width: Option<usize>) -> String {
    let whole = format!("{label}{line}");
    let Some(width) = width.filter(|width| measure_text_width(&whole) > *width) else {
        return with_remark(&whole, remark, width);
    };
    let indent = measure_text_width(label);
    let (mut out, mut used) = (label.to_owned(), indent);
    let words = words(line);
    for (n, &word) in words.iter().enumerate() {
        let long = measure_text_width(word);
        // Two columns are for what says that the line goes on.
        let more = if n + 1 < words.len() { 2 } else { 0 };
        if n > 0 && used + 1 + long + more > width {
            out += &format!(" \\\n{}", " ".repeat(indent));
            used = indent;
        } else if n > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += long;
    }
    out + "\n"
}

/// The words of a shell's line, with their quotes.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut begin, mut quote) = (Vec::new(), 0, None);
    for (at, letter) in line.char_indices() {
        match (letter, quote) {
            (' ', None) => {
                words.push(&line[begin..at]);
                begin = at + 1;
            }
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if open == letter => quote = None,
            _ => {}
        }
    }
    words.push(&line[begin..]);
    words
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

/// A column of labels is not made narrower.
const SHORTEST: usize = 6;

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
    // Labels stand in every part: they are folded, the widest first, where one column more would have no room.
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
        let folded: Vec<Vec<&str>> = shown.iter().map(|c| folded(row[*c], widths[*c])).collect();
        let lines = folded.iter().map(Vec::len).max().unwrap_or(1);
        let cell = |at: usize, line: usize| -> String {
            let c = &shown[at];
            let text = folded[at].get(line).copied().unwrap_or_default();
            let alignment = match (n, *c < labels) {
                (0, _) => console::Alignment::Center,
                (_, true) => console::Alignment::Left,
                (_, false) => console::Alignment::Right,
            };
            let padded: Cow<'_, str> = pad_str(text, widths[*c], alignment, None);
            format!(" {padded} ")
        };
        for line in 0..lines {
            let line: Vec<String> = (0..shown.len()).map(|at| cell(at, line)).collect();
            out += &format!("│{}│\n", line.join("│"));
        }
        if n == 0 {
            out += &rule('├', "┼", '┤');
        }
    }
    out + &rule('╰', "┴", '╯')
}

/// A text in lines of at most so many columns: broken behind a space, `-`, `_`, `,` or `=`, else where there is no more room.
/// Nothing of it is left out: two labels that begin alike stay two.
fn folded(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while measure_text_width(rest) > width.max(1) {
        let mut used = 0;
        let letters = rest.char_indices();
        let fits = letters.take_while(|(_, letter)| {
            used += measure_text_width(letter.encode_utf8(&mut [0; 4]));
            used <= width.max(1)
        });
        let ends: Vec<(usize, char)> = fits.map(|(at, c)| (at + c.len_utf8(), c)).collect();
        let may_end = |(_, c): &&(usize, char)| matches!(c, ' ' | '-' | '_' | ',' | '=');
        let end = ends.iter().rev().find(may_end).or(ends.last());
        // One letter at least, however wide it is.
        let one = rest.chars().next().map_or(rest.len(), char::len_utf8);
        let (line, other) = rest.split_at(end.map_or(one, |(at, _)| *at));
        lines.push(line.trim_end());
        rest = other.trim_start();
    }
    lines.push(rest);
    lines
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
    fn labels_are_folded_and_nothing_of_them_is_left_out() {
        assert_eq!(folded("full fine-tuning", 16), ["full fine-tuning"]);
        assert_eq!(folded("full fine-tuning", 10), ["full fine-", "tuning"]);
        assert_eq!(folded("score[alpha=0.5]", 6), ["score[", "alpha=", "0.5]"]);
        assert_eq!(folded("αβγδεζη", 3), ["αβγ", "δεζ", "η"]);
        assert_eq!(folded("", 3), [""]);
        let rows = [["scheme", "PSNR"], ["a label of many words", "29.2405"]];
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.to_vec()).collect();
        let text = in_parts(&rows, 1, 24);
        for part in ["a label ", "of many ", "words ", "29.2405"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.lines().all(|l| measure_text_width(l) <= 24), "{text}");
    }

    #[test]
    fn long_lines_hang_and_what_is_typed_stays_together() {
        let text = "ok  short\n  - a line that is long and says `pipeline plan x` last\n";
        assert_eq!(hanging(text, None), text);
        assert_eq!(
            hanging(text, Some(31)),
            "ok  short\n  - a line that is long and\n    says `pipeline plan x` last\n"
        );
        // Words in columns keep the spaces between them, whatever the first is as long as.
        assert_eq!(
            hanging("ok   devices   one and two and three\n", Some(30)),
            "ok   devices   one and two and\n  three\n"
        );
        // A path that has no room anywhere is not broken.
        let path = "cache  /a/path/that/is/longer/than/the/terminal is there\n";
        assert_eq!(
            hanging(path, Some(20)),
            "cache\n  /a/path/that/is/longer/than/the/terminal\n  is there\n"
        );
    }

    #[test]
    fn what_is_quoted_of_a_file_stays_above_its_marks() {
        let quote = " 15 |   file: a/long/path/of/weights.pth\n    |         ^^^^\n";
        let text = format!("error: p.yaml:15:9: there is no such file\n{quote}");
        assert_eq!(
            around_quotes(&text, Some(24)),
            format!("error: p.yaml:15:9:\n  there is no such file\n{quote}")
        );
        assert_eq!(around_quotes(&text, None), text);
    }

    #[test]
    fn commands_go_on_as_a_shell_reads_them() {
        let line = "A='b c' ./pipeline run my.yaml --set 'vars.x=a \"b\" c'";
        let wide = command("again:   ", line, "  # why", Some(100));
        assert_eq!(wide, format!("again:   {line}  # why\n"));
        assert_eq!(command("again:   ", line, "  # why", None), wide);
        assert_eq!(
            command("again:   ", line, "  # why", Some(40)),
            "again:   A='b c' ./pipeline run \\\n         my.yaml --set 'vars.x=a \"b\" c'\n"
        );
        assert_eq!(with_remark("a", " b", Some(2)), "a\n");
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
