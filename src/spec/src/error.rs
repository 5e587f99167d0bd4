//! What is wrong with a pipeline file: where it stands, what was expected, and what to do.
//! Unaware of terminals and of how the program ends.

use diagnostics::{Diagnostic, Diagnostics, Place};

use crate::limits::Limits;
use crate::node::Pos;

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

    /// The same at another position.
    #[must_use]
    pub(crate) fn at(mut self, pos: Pos) -> Self {
        self.pos = pos;
        self
    }

    /// The same, at its place.
    pub(crate) fn located(&self, place: Place) -> Diagnostic {
        Diagnostic {
            place: Some(place),
            path: self.path.clone(),
            ..Diagnostic::error(CODE, &self.message, &self.hint)
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

/// What kind of thing is wrong, for programs: everything of a pipeline file.
const CODE: &str = "pipeline-file";

/// Puts positions into words with the texts they point into.
pub(crate) fn locate(problems: Problems, sources: &[(String, String)]) -> Diagnostics {
    let Problems { mut first, more } = problems;
    first.sort_by_key(|p| p.pos);
    first.dedup();
    let located = |p: Problem| p.located(place(p.pos, sources));
    Diagnostics {
        first: first.into_iter().map(located).collect(),
        more,
    }
}

/// Problems as they are found: the first [`Limits::PROBLEMS`] are kept, the others are counted, so that a file with a
/// mistake in each of its stages is refused as fast as any other.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    first: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.first.push(problem);
        }
    }

    /// What is found from here on is only counted: its words need not be looked for.
    pub(crate) const fn is_full(&self) -> bool {
        self.first.len() >= Limits::PROBLEMS
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Adds what others have found.
    pub(crate) fn append(&mut self, other: Self) {
        self.more += other.more;
        self.extend(other.first);
    }

    pub(crate) fn or<T>(self, good: T) -> Result<T, Self> {
        if self.is_empty() { Ok(good) } else { Err(self) }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|p| self.push(p));
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self {
            first: vec![problem],
            more: 0,
        }
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

/// Names longer than this are no slips of a finger.
const LONGEST: usize = 100;

/// The name of `known` that `typed` was probably meant to be.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let letters = letters(typed);
    let near = known.into_iter().filter_map(|k| {
        let most = 1 + k.len().max(typed.len()) / 4;
        let may = k.len().abs_diff(typed.len()) <= most && differing(&letters, k) <= most;
        let distance = may.then(|| strsim::damerau_levenshtein(typed, k))?;
        (distance <= most).then_some((distance, k))
    });
    near.min().map(|(_, k)| k)
}

/// How often each character stands in a text, modulo 64: enough to tell most names apart.
fn letters(text: &str) -> [u8; 64] {
    let mut found = [0_u8; 64];
    for c in text.chars() {
        let slot = &mut found[c as usize % 64];
        *slot = slot.saturating_add(1);
    }
    found
}

/// The edit distance is at least this: each edit changes one letter, and a swap none.
fn differing(typed: &[u8; 64], known: &str) -> usize {
    let known = letters(known);
    let over = |a: &[u8; 64], b: &[u8; 64]| -> usize {
        let each = a
            .iter()
            .zip(b)
            .map(|(a, b)| usize::from(a.saturating_sub(*b)));
        each.sum()
    };
    over(typed, &known).max(over(&known, typed))
}

/// So many names are listed.
const LISTED: usize = 40;

/// "did you mean `x`?" or the list of what is known.
pub(crate) fn suggest(typed: &str, known: &[&str], what: &str) -> String {
    if known.is_empty() {
        return format!("there are no {what} here");
    }
    let first = typed.split([' ', '{', '[']).next().unwrap_or_default();
    if first != typed && known.contains(&first) {
        return format!("is a `:` missing behind `{first}`?");
    }
    match did_you_mean(typed, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known {what}: {}", listed(known)),
    }
}

/// The names, or the first of them and how many there are.
pub(crate) fn listed(names: &[&str]) -> String {
    let some = names[..names.len().min(LISTED)].join(", ");
    match names.len() {
        n if n > LISTED => format!("{some}, … ({n} in all)"),
        _ => some,
    }
}
