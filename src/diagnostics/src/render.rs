//! Diagnostics as text: the place, the message, the line with a caret below what is meant, the hint.
//! Unaware of where the text goes. Every part is escaped here, so that colour can be put around it.

use std::borrow::Cow;
use std::fmt;

use crate::shown::{line, snippet, text};
use crate::{Diagnostic, Diagnostics, Place, Severity};

/// Whether a text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it goes into files and tests.
    Plain,
    /// For a terminal: colours, and all of what stands at the place is marked.
    Colour,
}

/// What is painted.
#[derive(Clone, Copy)]
enum Paint {
    Severity(Severity),
    Strong,
    Hint,
}

impl Style {
    fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            _ if self == Self::Plain => return text.to_owned(),
            Paint::Severity(Severity::Error) => "1;31",
            Paint::Severity(Severity::Warning) => "1;33",
            Paint::Severity(Severity::Note) => "1;34",
            Paint::Strong => "1",
            Paint::Hint => "1;36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// All of them, each marked by its severity; several are counted.
pub fn all(diagnostics: &Diagnostics, style: Style) -> String {
    let mut out = String::new();
    for (n, diagnostic) in diagnostics.first.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let severity = diagnostic.severity;
        out += &style.paint(Paint::Severity(severity), severity.word());
        out += ": ";
        out += &body(diagnostic, style);
    }
    match (diagnostics.count(), diagnostics.more) {
        (..=1, _) => {}
        (count, 0) => out += &format!("\n{count} problems\n"),
        (count, more) => {
            let s = if more == 1 { "" } else { "s" };
            out += &format!("\n{count} problems; {more} more problem{s} not shown\n");
        }
    }
    out
}

/// One of them without its severity, without colour.
pub fn plain(diagnostic: &Diagnostic) -> String {
    body(diagnostic, Style::Plain)
}

fn body(diagnostic: &Diagnostic, style: Style) -> String {
    let Diagnostic {
        severity,
        code: _,
        place,
        path,
        message,
        expected,
        hint,
        causes,
    } = diagnostic;
    let mut out = String::new();
    if let Some(place) = place.as_ref().filter(|p| !p.source.is_empty()) {
        out += &style.paint(Paint::Strong, &at(place));
        out += ": ";
    }
    if !path.is_empty() {
        out += &line(&short(path));
        out += ": ";
    }
    // What quotes a file is one line; what the program says itself may have several.
    let is_quoting = place.is_some() || !path.is_empty();
    let message = short(message.trim_end());
    out += &if is_quoting {
        line(&message)
    } else {
        text(&message)
    };
    out.push('\n');
    if let Some(place) = place.as_ref().filter(|p| p.line > 0 && !p.text.is_empty()) {
        out += &marked(place, *severity, style);
    }
    if !expected.is_empty() {
        out += &format!("expected: {}\n", line(&short(expected)));
    }
    for cause in causes {
        out += &format!("because: {}\n", line(&short(cause)));
    }
    if !hint.is_empty() {
        let hint = short(hint);
        let hint = if is_quoting { line(&hint) } else { text(&hint) };
        out += &format!("{}: {hint}\n", style.paint(Paint::Hint, "hint"));
    }
    out
}

fn at(place: &Place) -> String {
    let source = short(&place.source);
    let source = line(&source);
    match place.line {
        0 => source.into_owned(),
        at => format!("{source}:{at}:{}", place.column),
    }
}

/// The line, and a caret below what is meant; on a terminal a caret below each character of it.
fn marked(place: &Place, severity: Severity, style: Style) -> String {
    let shown = snippet(place.line, &place.text, place.column);
    if style == Style::Plain {
        return shown;
    }
    let (above, caret) = shown.trim_end().rsplit_once('^').unwrap_or((&shown, ""));
    let carets = "^".repeat(place.width());
    format!(
        "{above}{}{caret}\n",
        style.paint(Paint::Severity(severity), &carets)
    )
}

/// The most characters of a message: it may quote a name of any length.
const MOST: usize = 2000;

fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

impl Diagnostics {
    /// The message of the first, in one line.
    pub fn headline(&self) -> String {
        let first = self.first.first().map(plain).unwrap_or_default();
        first.lines().next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.first.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", plain(diagnostic))?;
        }
        match self.more {
            0 => Ok(()),
            1 => writeln!(f, "\nand one more problem"),
            more => writeln!(f, "\nand {more} more problems"),
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn typo() -> Diagnostic {
        Diagnostic {
            place: Some(Place {
                source: "p.yaml".into(),
                line: 7,
                column: 9,
                text: "  tune: {mask: m}".into(),
            }),
            path: "stages.t.tune".into(),
            ..Diagnostic::error("field", "unknown field `mask`", "did you mean `masks`?")
        }
    }

    #[test]
    fn the_place_stands_first_and_the_hint_last() {
        let text = "p.yaml:7:9: stages.t.tune: unknown field `mask`\n 7 |   tune: {mask: m}\n   |         ^\n\
                    hint: did you mean `masks`?\n";
        assert_eq!(plain(&typo()), text);
    }

    #[test]
    fn on_a_terminal_all_of_what_is_meant_is_marked_and_nothing_else_moves_the_cursor() {
        let mut typo = typo();
        typo.place = typo.place.map(|place| Place {
            column: 10,
            ..place
        });
        typo.message += "\u{1b}[2J";
        let text = all(&typo.into(), Style::Colour);
        assert!(text.contains("\u{1b}[1;31m^^^^\u{1b}[0m"), "{text:?}");
        assert!(text.starts_with("\u{1b}[1;31merror\u{1b}[0m: \u{1b}[1mp.yaml:7:10\u{1b}[0m: "));
        assert!(text.contains("\\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn several_are_marked_and_counted() {
        let of = |first: usize, more| Diagnostics {
            first: vec![Diagnostic::error("x", "wrong", ""); first],
            more,
        };
        assert_eq!(all(&of(1, 0), Style::Plain), "error: wrong\n");
        let two = all(&of(2, 0), Style::Plain);
        assert_eq!(two, "error: wrong\n\nerror: wrong\n\n2 problems\n");
        let many = all(&of(1, 9), Style::Plain);
        assert!(
            many.ends_with("\n10 problems; 9 more problems not shown\n"),
            "{many}"
        );
    }

    #[test]
    fn causes_and_what_was_expected_are_said() {
        let mut wrong = Diagnostic::error("x", "cannot read `a`", "");
        wrong.expected = "a number".into();
        wrong.causes = vec!["no such file".into()];
        let text = "cannot read `a`\nexpected: a number\nbecause: no such file\n";
        assert_eq!(plain(&wrong), text);
    }
}
