//! What is printed: results on standard output, everything else on standard error.
//! Unaware of what it says; terminals get colour and lines that fit, programs get JSON and bytes.

use std::io::Write;

use diagnostics::render::{self, Style};
use diagnostics::shown;
use diagnostics::{Diagnostic, Diagnostics};
use serde_json::{Value, json};

use super::{called, fit, out, screen};

/// A diagnostic as an event by its severity, with the column behind what is meant.
pub(super) fn json_of(diagnostic: &Diagnostic) -> Value {
    let mut event = json!(diagnostic);
    event["event"] = diagnostic.severity.word().into();
    event["severity"] = diagnostic.severity.word().into();
    if let Some(place) = diagnostic.place.as_ref().filter(|p| p.line > 0) {
        event["place"]["end_column"] = (place.column + place.width()).into();
    }
    event
}

/// Diagnostics on standard error, in colour on a terminal whose user has not said `NO_COLOR`.
pub(crate) fn say_all(diagnostics: &Diagnostics) {
    let style = if screen::stderr_has_colour() {
        Style::Colour
    } else {
        Style::Plain
    };
    let text = render::all(&called::as_called(diagnostics), style);
    let text = fit::around_quotes(&text, screen::width_of_stderr());
    let _ = std::io::stderr().lock().write_all(text.as_bytes()); // a closed one is nobody's problem
}

/// A line on standard error. A closed one is nobody's problem. What came from a file, a name or a child and would move
/// the cursor or hide is escaped here, whoever put it into the line.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown::text(line));
}

/// Text on standard output: results, escaped as in [`say`]. A closed pipe (`| head`) ends the output, not the work.
pub(crate) fn print(text: &str) {
    print_raw(&shown::text(text));
}

/// The same of sentences and facts, which are broken between words where a terminal has no room.
pub(crate) fn print_lines(text: &str) {
    print_raw(&fit::hanging(&shown::text(text), screen::width()));
}

/// The same of lines that may begin with a state, which has its colour on a terminal.
pub(crate) fn print_states(text: &str) {
    let text = shown::text(text);
    let text = if screen::has_colour() {
        screen::painted(&text)
    } else {
        text.into_owned()
    };
    print_raw(&fit::hanging(&text, screen::width()));
}

/// JSON on standard output: what [`print`] escapes is escaped as JSON has it.
pub(crate) fn print_json(text: &str) {
    print_raw(&shown::json(text));
}

/// Either of the two.
pub(crate) fn print_as(is_json: bool, text: &str) {
    if is_json {
        print_json(text);
    } else {
        print_lines(text);
    }
}

/// For programs, byte by byte.
pub(crate) fn print_raw(text: &str) {
    out::write(text);
}
