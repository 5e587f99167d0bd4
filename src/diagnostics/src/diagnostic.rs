//! The one shape: a diagnostic with its place, and several of them.
//! Unaware of how they are shown.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How much something matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something is wrong.
    #[default]
    Error,
    /// Something may not be as it was meant.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    const fn is_error(&self) -> bool {
        matches!(self, Self::Error)
    }

    /// As it stands before a text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A position as a person reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, or `--set path=value`.
    #[serde(rename = "file")]
    pub source: String,
    /// Line from 1; 0 where there is none.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of that line.
    #[serde(rename = "snippet", default)]
    pub text: String,
}

impl Place {
    /// How many characters what stands at the place has: a name, a number, or a text in quotes; at least 1.
    pub fn width(&self) -> usize {
        let mut rest = self.text.chars().skip(self.column.saturating_sub(1));
        let Some(first) = rest.next() else { return 1 };
        if matches!(first, '"' | '\'') {
            let inside = rest.by_ref().take_while(|c| *c != first).count();
            return inside + 2;
        }
        let in_word = |c: &char| c.is_alphanumeric() || "_-./+".contains(*c);
        if !in_word(&first) {
            return 1;
        }
        1 + rest.take_while(in_word).count()
    }
}

/// One thing that is wrong, or good to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diagnostic {
    /// How much it matters.
    #[serde(skip_serializing_if = "Severity::is_error")]
    pub severity: Severity,
    /// What kind of thing it is, as a word for programs (`pipeline-file`, `yaml`, `cache`).
    #[serde(skip_serializing_if = "str::is_empty")]
    pub code: Cow<'static, str>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The dotted path of the value (`stages.t1.tune.alpha`); empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What would be right; empty where the message says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What to do; may be empty.
    pub hint: String,
    /// What it came from, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl Diagnostic {
    /// An error with a hint, which may be empty.
    pub fn error(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            message: message.into(),
            hint: hint.into(),
            ..Self::default()
        }
    }
}

/// What is wrong, in the order of the text, at least one thing; of very many the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// The first.
    pub first: Vec<Diagnostic>,
    /// How many more there are.
    pub more: usize,
}

impl Diagnostics {
    /// All of them, those that are not kept too.
    pub const fn count(&self) -> usize {
        self.first.len() + self.more
    }

    /// The hint of the first.
    pub fn hint(&self) -> &str {
        self.first.first().map_or("", |d| d.hint.as_str())
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            first: vec![diagnostic],
            more: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_a_place_is_as_wide_as_its_name_number_or_text() {
        let width = |text: &str, column| {
            let text = text.to_owned();
            Place {
                column,
                text,
                ..Place::default()
            }
            .width()
        };
        assert_eq!(width("  mask: {images: pairs}", 3), 4);
        assert_eq!(width("  mask: {images: pairs}", 9), 1);
        assert_eq!(width("a: 0.5, b: 1", 4), 3);
        assert_eq!(width("a: 'it is', b", 4), 7);
        assert_eq!(width("a: tief-深.png]", 4), 10);
        assert_eq!((width("", 1), width("ab", 9)), (1, 1));
    }
}
