//! What is wrong with a pipeline file: where it stands, what was expected, and what to do.
//! Unaware of terminals and of how the program ends.

use std::fmt;

use crate::node::Pos;

/// A position as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or `--set path=value`.
    pub source: String,
    /// Line from 1; 0 where there is none.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of that line.
    pub text: String,
}

/// One thing that is wrong, before its position is known in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where.
    pub pos: Pos,
    /// The dotted path of the value (`stages.t1.tune.alpha`), empty where there is none.
    pub path: String,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What to do; empty where the message says it.
    pub hint: String,
}

impl Problem {
    /// A problem at `pos`.
    pub fn new(pos: Pos, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pos,
            path: path.into(),
            message: message.into(),
            hint: String::new(),
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with the path it was found under in front of its own.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = if self.path.is_empty() {
            prefix.to_owned()
        } else {
            format!("{prefix}.{}", self.path)
        };
        self
    }
}

/// All that is wrong with a pipeline file, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecError {
    /// The problems, at least one.
    pub problems: Vec<(Place, Problem)>,
}

impl SpecError {
    /// Puts positions into words with the texts they point into.
    pub(crate) fn locate(mut problems: Vec<Problem>, sources: &[(String, String)]) -> Self {
        problems.sort_by_key(|p| p.pos);
        problems.dedup();
        let located = problems
            .into_iter()
            .map(|p| (place(p.pos, sources), p))
            .collect();
        Self { problems: located }
    }

    /// A text for each problem.
    pub(crate) fn texts(self) -> Vec<String> {
        let alone = |problem| Self {
            problems: vec![problem],
        };
        let all = self.problems.into_iter().map(alone);
        all.map(|one| one.to_string().trim_end().to_owned())
            .collect()
    }
}

/// Puts a position into words, with the text of its line.
pub(crate) fn place(pos: Pos, sources: &[(String, String)]) -> Place {
    let text = sources
        .get(pos.source)
        .map_or("", |(_, text)| text.as_str());
    let line = pos.line.checked_sub(1).and_then(|n| text.lines().nth(n));
    let mut place = spot(pos, sources);
    line.unwrap_or_default().clone_into(&mut place.text);
    place
}

/// The same without the text of the line, which is not looked for: there are as many spots as stages.
pub(crate) fn spot(pos: Pos, sources: &[(String, String)]) -> Place {
    let source = sources.get(pos.source).map(|(name, _)| name.clone());
    Place {
        source: source.unwrap_or_default(),
        line: pos.line,
        column: pos.column,
        text: String::new(),
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (place, problem)) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write_problem(f, place, problem)?;
        }
        Ok(())
    }
}

fn write_problem(f: &mut fmt::Formatter<'_>, place: &Place, problem: &Problem) -> fmt::Result {
    if !place.source.is_empty() {
        write!(f, "{}", place.source)?;
        if place.line > 0 {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": ")?;
    }
    let path = if problem.path.is_empty() {
        String::new()
    } else {
        format!("{}: ", problem.path)
    };
    writeln!(f, "{path}{}", problem.message)?;
    if place.line > 0 && !place.text.is_empty() {
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, " {number} | {}", place.text)?;
        writeln!(
            f,
            " {margin} | {}^",
            " ".repeat(place.column.saturating_sub(1))
        )?;
    }
    if !problem.hint.is_empty() {
        writeln!(f, "hint: {}", problem.hint)?;
    }
    Ok(())
}

impl std::error::Error for SpecError {}

/// The name of `known` that `typed` was probably meant to be.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(typed, k), k));
    let near = scored.filter(|(d, k)| *d <= 1 + k.len().max(typed.len()) / 4);
    near.min().map(|(_, k)| k)
}

/// "did you mean `x`?" or the list of what is known.
pub(crate) fn suggest(typed: &str, known: &[&str], what: &str) -> String {
    if known.is_empty() {
        return format!("there are no {what} here");
    }
    match did_you_mean(typed, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known {what}: {}", known.join(", ")),
    }
}
