//! What the terminal is like: how wide, whether it shows colour, whether lines can be drawn over.
//! Unaware of what is printed.

use std::io::IsTerminal;

use console::Term;

/// The columns of standard output; none where it is no terminal.
pub fn width() -> Option<usize> {
    columns(&Term::stdout())
}

/// The columns of standard error; none where it is no terminal.
pub fn width_of_stderr() -> Option<usize> {
    columns(&Term::stderr())
}

/// What is narrower cannot hold a table or a bar.
const LEAST: usize = 24;

fn columns(terminal: &Term) -> Option<usize> {
    if !terminal.is_term() {
        return None;
    }
    let (_, columns) = terminal.size_checked()?;
    Some(usize::from(columns).max(LEAST))
}

/// Whether standard error is a terminal on which lines can be drawn over.
pub fn draws() -> bool {
    std::io::stderr().is_terminal() && !is_dumb()
}

/// Whether standard output shows colour: a terminal whose user has not said `NO_COLOR`.
pub fn has_colour() -> bool {
    std::io::stdout().is_terminal() && wants_colour()
}

/// The same of standard error.
pub fn stderr_has_colour() -> bool {
    std::io::stderr().is_terminal() && wants_colour()
}

fn wants_colour() -> bool {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_plain && !is_dumb()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Words that say a state, at the beginning of a line, and their colours: green is done, yellow is to be looked at, red is
/// wrong.
const STATES: [(&str, u8); 15] = [
    ("✓", 32),
    ("fresh", 32),
    ("ok", 32),
    ("done", 32),
    ("run", 36),
    ("running", 36),
    ("again:", 33),
    ("warning:", 33),
    ("stopped:", 33),
    ("interrupted", 33),
    ("blocked", 31),
    ("blocked:", 31),
    ("failed:", 31),
    ("BAD", 31),
    ("missing", 31),
];

/// Lines whose first word is a state, in its colour.
pub fn painted(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let from = line.len() - line.trim_start_matches(' ').len();
    let word = line[from..].split([' ', '\n']).next().unwrap_or_default();
    let state = STATES.iter().find(|(state, _)| *state == word);
    match state {
        Some((word, colour)) => format!(
            "{}{}{}",
            &line[..from],
            in_colour(word, *colour),
            &line[from + word.len()..]
        ),
        None => line.to_owned(),
    }
}

/// A text in one of the terminal's colours, or (1) bold.
pub fn in_colour(text: &str, colour: u8) -> String {
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_state_at_the_beginning_of_a_line_is_coloured() {
        assert_eq!(
            painted("  run      a run\nfreshly run\nfailed: x\n"),
            "  \u{1b}[36mrun\u{1b}[0m      a run\nfreshly run\n\u{1b}[31mfailed:\u{1b}[0m x\n"
        );
    }
}
