//! Text of others in a table: a cell stays a cell, a sentence a sentence, whatever it holds.
//! Unaware of layout. Ordinary names come out as they went in, so that tables made before keep their bytes.

use diagnostics::shown;

/// In a Markdown table, a heading or emphasised text: nothing ends the cell, begins a tag, code, a link or an entity.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    let flat = flat(text);
    for (at, c) in flat.char_indices() {
        match c {
            '|' | '`' | '*' => {
                out.push('\\');
                out.push(c);
            }
            c => other(c, &flat[at..], &mut out),
        }
    }
    out
}

/// In a sentence of Markdown, where code and emphasis may be meant: it stays one paragraph of text.
pub(super) fn sentence(text: &str) -> String {
    let flat = flat(text);
    let closed = flat.matches('`').count().is_multiple_of(2);
    let mut out = String::new();
    for (at, c) in flat.char_indices() {
        match c {
            '`' if !closed => out += "\\`",
            // What a line begins with can make a heading, a quotation, a list or a table of it.
            '#' | '>' | '+' | '-' | '=' | '~' | '|' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '|' => out += "\\|",
            c => other(c, &flat[at..], &mut out),
        }
    }
    out
}

/// What is escaped in both. `rest` begins with the character.
fn other(c: char, rest: &str, out: &mut String) {
    let next = rest.chars().nth(1);
    match c {
        '<' => *out += "&lt;",
        '&' if is_entity(rest) => *out += "&amp;",
        '\\' if next.is_some_and(|n| n.is_ascii_punctuation()) => *out += "&#92;",
        ']' if matches!(next, Some('(' | '[')) => *out += "\\]",
        c => out.push(c),
    }
}

fn is_entity(rest: &str) -> bool {
    let Some((name, _)) = rest[1..].split_once(';') else {
        return false;
    };
    let name = name.strip_prefix('#').unwrap_or(name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// In LaTeX: every character that means something is spelled out.
pub(super) fn tex(text: &str) -> String {
    let mut out = String::new();
    for c in flat(text).chars() {
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
            '±' => out += "$\\pm$",
            '−' => out += "$-$",
            '†' => out += "$\\dagger$",
            '–' => out += "--",
            other => out.push(other),
        }
    }
    out
}

/// One line without controls: ends of lines are spaces, other controls are spelled out.
fn flat(text: &str) -> String {
    let spaced: String = text.replace("\r\n", " ").replace(['\n', '\t', '\r'], " ");
    shown::line(&spaced).into_owned()
}

/// In a CSV file that a spreadsheet may open: a text that it would take for a formula begins with `'`, which
/// [`unguarded`] takes away again. Numbers stay numbers.
pub fn guarded(text: &str) -> String {
    if is_formula(text) && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// The text that [`guarded`] was given.
pub(super) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(inner) if is_formula(inner) => inner,
        _ => text,
    }
}

/// A text that begins as a formula, behind any number of guards.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for text in [
            "Manga109",
            "spt_f",
            "×4",
            "–",
            "full fine-tuning",
            "B1–B6",
            "[+0.04, +0.08]",
            "29.3 (+0.1)",
            "95 % interval of Δ",
            "R&D",
            "SPT units start from init.",
        ] {
            assert_eq!(markdown(text), text);
            assert_eq!(sentence(text), text);
            assert_eq!(guarded(text), text);
        }
        let note = "SPT units start from init `identity`.";
        assert_eq!(sentence(note), note);
    }

    #[test]
    fn markdown_stays_in_its_cell() {
        for (text, expected) in [
            ("a\nb|c", "a b\\|c"),
            ("<b>x</b>", "&lt;b>x&lt;/b>"),
            ("&lt;&#x3c;", "&amp;lt;&amp;#x3c;"),
            ("`a`*", "\\`a\\`\\*"),
            ("[x](javascript:y)", "[x\\](javascript:y)"),
            ("a\\|b", "a&#92;\\|b"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
        ] {
            assert_eq!(markdown(text), expected);
        }
        assert_eq!(sentence("# x\n# y"), "\\# x # y");
        assert_eq!(sentence("a ` b"), "a \\` b");
    }

    #[test]
    fn latex_gets_no_controls_and_no_commands() {
        assert_eq!(tex("a\n\nb\u{0}"), "a  b\\textbackslash{}u\\{0\\}");
        assert_eq!(tex("\\input{x}"), "\\textbackslash{}input\\{x\\}");
    }

    #[test]
    fn what_is_guarded_is_read_back() {
        for text in [
            "=1+1", "+x", "-cmd", "@a", "\tx", "\r", "'=x", "''=x", "x", "'x", "'", "-1.5", "+0.5",
            "", "–",
        ] {
            assert_eq!(unguarded(&guarded(text)), text);
        }
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(guarded("-1.5"), "-1.5");
    }
}
