//! Text of others as a person may see it: nothing in it moves a cursor, hides, turns round or begins a line of its own.
//! Unaware of terminals; colours and bars are made behind this, and never come from a text.
//!
//! ```text
//!   a value, a name, a path ── line ──┐
//!   a message with its hint ── said ──┼──> a message of several lines ── text ──> the terminal
//!   lines of a log ───────────────────┘        (the last door: whatever came that far)
//! ```

use std::borrow::Cow;
use std::fmt::Write;

/// A text inside a line: what would end the line is escaped as well.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t') || is_hidden(c))
}

/// A text of lines.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// `1 file`, `3 files`.
pub fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A message inside a line, and its hint, if it has one, on a line below it.
pub fn said(text: &str) -> String {
    // Not `trim_end`, which takes a carriage return that a value ends with.
    let text = text.trim_end_matches(['\n', ' ']);
    match text.rsplit_once("\nhint: ") {
        Some((message, hint)) => format!("{}\nhint: {}", line(message), line(hint)),
        None => line(text).into_owned(),
    }
}

/// JSON in which such characters are escaped as JSON has it; it means the same.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hidden(c) && c != '\r') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}"); // a String takes all
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a text is of plain characters and line ends alone, which is soon said of a plan with a million lines.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n'))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_plain = !hidden('\n') && is_plain(text);
    if is_plain || !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if hidden(c) => out.push_str("\\n"),
            '\t' if hidden(c) => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c)); // a String takes all
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Controls but the end of a line and the tab, and what changes the direction of a text, is not seen, or ends a line
/// for some programs.
fn is_hidden(c: char) -> bool {
    let is_text = matches!(c, '\n' | '\t');
    let is_unseen = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            // Zero width, marks, embeddings, separators of lines and paragraphs, isolates, other invisible operators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Annotations and tags.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !is_text && (c.is_control() || is_unseen)
}

/// The most characters of one line of a file that are shown around a place.
const WIDEST: usize = 160;

/// A line of a file and below it a caret at a column (from 1); of a long line only what is around the column.
pub fn snippet(number: usize, source: &str, column: usize) -> String {
    let at = column.saturating_sub(1);
    let begin = if at < WIDEST * 3 / 4 {
        0
    } else {
        at - WIDEST / 2
    };
    let before: String = source
        .chars()
        .skip(begin)
        .take(at - begin.min(at))
        .collect();
    let behind: String = source
        .chars()
        .skip(at)
        .take(WIDEST - (at - begin).min(WIDEST))
        .collect();
    let cut = source.chars().nth(begin + WIDEST).is_some();
    let tabs = |text: &str| line(&text.replace('\t', " ")).into_owned();
    let before = format!("{}{}", if begin > 0 { "…" } else { "" }, tabs(&before));
    let margin = " ".repeat(number.to_string().len());
    let caret = " ".repeat(before.chars().count());
    format!(
        " {number} | {before}{}{}\n {margin} | {caret}^\n",
        tabs(&behind),
        if cut { "…" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_hides_or_turns_is_escaped_and_other_text_is_not() {
        for plain in ["", "plain", "é ü 深 🙂 e\u{301}", "a\tb\nc", "{\"a\": 1}"] {
            assert_eq!(text(plain), plain);
            assert_eq!(json(plain), plain);
        }
        let hidden = "\u{1b}[2J\u{7}\0\u{9b}31m\u{202e}x\u{2066}\u{200b}\u{2028}\u{85}\r\u{feff}";
        let shown = "\\u{1b}[2J\\u{7}\\u{0}\\u{9b}31m\\u{202e}x\\u{2066}\\u{200b}\\u{2028}\\u{85}\\r\\u{feff}";
        assert_eq!(text(hidden), shown);
        assert_eq!(line("a\n\tb"), "a\\n\\tb");
        assert_eq!(
            said("no file `a\nb`\nhint: look\n"),
            "no file `a\\nb`\nhint: look"
        );
    }

    #[test]
    fn one_is_counted_as_one() {
        let counts = [0, 1, 2].map(|n| counted(n, "stage"));
        assert_eq!(counts, ["0 stages", "1 stage", "2 stages"]);
    }

    #[test]
    fn json_means_the_same() {
        let value = serde_json::json!({"a\u{202e}": "x\u{9b}\u{e0001}\u{1b}\n"});
        let text = value.to_string();
        let safe = json(&text);
        assert!(safe.is_ascii(), "{safe}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
    }

    #[test]
    fn of_a_long_line_what_is_around_the_place_is_shown() {
        assert_eq!(snippet(7, "a: b", 4), " 7 | a: b\n   |    ^\n");
        assert_eq!(
            snippet(7, "a\u{1b}: b", 5),
            " 7 | a\\u{1b}: b\n   |          ^\n"
        );
        let long = format!("{}x{}", "-".repeat(5000), "+".repeat(5000));
        let shown = snippet(12, &long, 5001);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].chars().count() < 200 && lines[0].ends_with("+…"));
        let place = |line: &str, c: char| line.chars().position(|x| x == c);
        assert_eq!(place(lines[0], 'x'), place(lines[1], '^'));
    }
}
