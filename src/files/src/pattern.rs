//! Patterns of paths, such as `data/*.csv`: what one fits, the folder that it begins in, and whether two may fit the same.
//! Unaware of the file system. One walk through two sequences answers all three: a path is a pattern without `*`.
//!
//! | | |
//! |---|---|
//! | `*` | any characters of one name, a leading dot too |
//! | `?` | one character |
//! | `[abc]`, `[a-z]`, `[!a]` | one of these, none of these; `[*]`, `[?]` and `[[]` are the characters themselves |
//! | `**` | as a whole name: any folders, also none |
//!
//! `[alpha=0.5]` is a text: members of sweeps are called so.

use std::path::{Component, Path, PathBuf};

/// A path with a pattern in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    fixed: PathBuf,
    parts: Vec<Part>,
}

/// One name of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`
    Deep,
    Name(Vec<Token>),
}

/// A character of a name, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    One(char),
    Any,
    /// `*`
    Run,
    Class {
        ranges: Vec<(char, char)>,
        is_not: bool,
    },
}

impl Pattern {
    /// `None` for a path that has no pattern in it; an error in words for one that cannot be followed.
    ///
    /// # Errors
    /// `..` behind the first pattern.
    pub fn parse(path: &Path) -> Result<Option<Self>, String> {
        let (mut fixed, mut parts) = (PathBuf::new(), Vec::new());
        for component in path.components() {
            let part = match component {
                Component::Normal(name) => part(&name.to_string_lossy()),
                Component::ParentDir if !parts.is_empty() => {
                    return Err("`..` stands behind a pattern".into());
                }
                _ => None,
            };
            match part {
                None if parts.is_empty() => fixed.push(component),
                None => parts.push(literal(component)),
                Some(part) => parts.push(part),
            }
        }
        if parts.last() == Some(&Part::Deep) {
            parts.push(Part::Name(vec![Token::Run])); // all that is below a folder, and not the folder
        }
        Ok((!parts.is_empty()).then_some(Self { fixed, parts }))
    }

    /// The folder that it begins in: the names in front of the first that is no text.
    pub fn fixed(&self) -> &Path {
        &self.fixed
    }

    /// The same pattern below another folder.
    #[must_use]
    pub fn below(&self, folder: PathBuf) -> Self {
        Self {
            fixed: folder,
            parts: self.parts.clone(),
        }
    }

    /// The part of `path`, which ends with what this was read from, in front of the first pattern.
    pub fn folder_of(&self, path: &Path, written: &Path) -> PathBuf {
        let names = |path: &Path| {
            let all = path.components();
            all.filter(|c| *c != Component::CurDir).count()
        };
        let behind = names(written) - names(&self.fixed);
        path.ancestors().nth(behind).unwrap_or(path).to_path_buf()
    }

    /// Whether it fits this path, which begins in its folder.
    pub fn fits(&self, path: &Path) -> bool {
        let names: Vec<Part> = path.components().map(literal).collect();
        aligned(&of(&self.parts), &of(&names)).both
    }

    /// Whether it may fit something below this folder, which begins in its own.
    pub fn leads_into(&self, folder: &Path) -> bool {
        let names: Vec<Part> = folder.components().map(literal).collect();
        aligned(&of(&self.parts), &of(&names)).second
    }

    /// Whether there may be a path that both fit, or one of these in a folder that the other fits.
    pub fn touches(&self, other: &Self) -> bool {
        let (outer, inner) = if inside(&other.fixed, &self.fixed) {
            (self, other)
        } else {
            (other, self)
        };
        if !inside(&inner.fixed, &outer.fixed) {
            return false;
        }
        let rest = inner
            .fixed
            .strip_prefix(&outer.fixed)
            .unwrap_or(&inner.fixed);
        let rest: Vec<Part> = rest.components().map(literal).collect();
        let below: Vec<&Part> = rest.iter().chain(&inner.parts).collect();
        aligned(&of(&outer.parts), &below).one_is_over()
    }

    /// Whether it fits a path without a pattern, or a folder around that.
    pub fn holds(&self, path: &Path) -> bool {
        let inside = path.strip_prefix(&self.fixed);
        inside.is_ok_and(|inside| inside.ancestors().any(|at| self.fits(at)))
    }

    /// Whether it may touch a path without a pattern, which may be a folder.
    pub fn touches_path(&self, path: &Path) -> bool {
        if !inside(path, &self.fixed) {
            return inside(&self.fixed, path);
        }
        let rest = path.strip_prefix(&self.fixed).unwrap_or(path);
        let rest: Vec<Part> = rest.components().map(literal).collect();
        aligned(&of(&self.parts), &of(&rest)).one_is_over()
    }
}

fn of(parts: &[Part]) -> Vec<&Part> {
    parts.iter().collect()
}

fn inside(path: &Path, folder: &Path) -> bool {
    path.starts_with(folder)
}

fn literal(component: Component<'_>) -> Part {
    let name = component.as_os_str().to_string_lossy();
    Part::Name(name.chars().map(Token::One).collect())
}

/// A name with a pattern in it; `None` for a text.
fn part(name: &str) -> Option<Part> {
    if name == "**" {
        return Some(Part::Deep);
    }
    let (mut tokens, mut rest) = (Vec::new(), name);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        tokens.push(match c {
            '*' => Token::Run,
            '?' => Token::Any,
            '[' => match class(rest) {
                Some((token, behind)) => {
                    rest = behind;
                    token
                }
                None => Token::One(c),
            },
            _ => Token::One(c),
        });
    }
    let is_pattern = tokens.iter().any(|token| !matches!(token, Token::One(_)));
    is_pattern.then_some(Part::Name(tokens))
}

/// The class whose bracket was opened, and what is behind it.
fn class(text: &str) -> Option<(Token, &str)> {
    let (inner, behind) = text.split_once(']')?;
    if inner.is_empty() || inner.contains('=') {
        return None;
    }
    let not = inner
        .strip_prefix(['!', '^'])
        .filter(|rest| !rest.is_empty());
    let all: Vec<char> = not.unwrap_or(inner).chars().collect();
    let (mut ranges, mut rest) = (Vec::new(), &all[..]);
    while let [first, ..] = rest {
        if let [from, '-', to, after @ ..] = rest {
            ranges.push((*from, *to));
            rest = after;
        } else {
            ranges.push((*first, *first));
            rest = &rest[1..];
        }
    }
    let is_not = not.is_some();
    Some((Token::Class { ranges, is_not }, behind))
}

/// An element of a sequence, which stands for one element or for any number of them.
trait Element {
    fn is_run(&self) -> bool;
    fn meets(&self, other: &Self) -> bool;
}

impl Element for Part {
    fn is_run(&self) -> bool {
        *self == Self::Deep
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => {
                let (one, other): (Vec<_>, Vec<_>) = (one.iter().collect(), other.iter().collect());
                aligned(&one, &other).both
            }
            _ => true,
        }
    }
}

impl Element for Token {
    fn is_run(&self) -> bool {
        *self == Self::Run
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(c), token) | (token, Self::One(c)) => token.takes(*c),
            (
                Self::Class {
                    ranges,
                    is_not: false,
                },
                class @ Self::Class { .. },
            )
            | (
                class @ Self::Class { .. },
                Self::Class {
                    ranges,
                    is_not: false,
                },
            ) => ranges.iter().any(|(from, to)| class.takes_some(*from, *to)),
            _ => true,
        }
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        self.takes_some(c, c)
    }

    /// Whether it takes a character of this range. Of a class that names what it does not take nearly all are.
    fn takes_some(&self, from: char, to: char) -> bool {
        match self {
            Self::One(c) => (from..=to).contains(c),
            Self::Any | Self::Run => true,
            Self::Class {
                ranges,
                is_not: false,
            } => ranges.iter().any(|(a, b)| *a <= to && from <= *b),
            Self::Class {
                ranges,
                is_not: true,
            } => from != to || !ranges.iter().any(|(a, b)| (*a..=*b).contains(&from)),
        }
    }
}

/// Which of two sequences can have come to its end, with the other one's beginning fitting all of it.
#[derive(Default)]
struct Ends {
    first: bool,
    second: bool,
    both: bool,
}

impl Ends {
    const fn one_is_over(&self) -> bool {
        self.first || self.second
    }
}

/// Walks through both sequences at once, in every way in which they may fit.
fn aligned<T: Element>(a: &[&T], b: &[&T]) -> Ends {
    let mut row = vec![false; b.len() + 1];
    row[0] = true;
    let mut ends = Ends::default();
    for i in 0..=a.len() {
        let mut next = vec![false; b.len() + 1];
        for j in 0..=b.len() {
            if !row[j] {
                continue;
            }
            ends.first |= i == a.len();
            ends.second |= j == b.len();
            ends.both |= i == a.len() && j == b.len();
            let (one, other) = (a.get(i), b.get(j));
            let runs = [one, other].map(|element| element.is_some_and(|element| element.is_run()));
            if runs[0] {
                next[j] = true; // it stands for nothing more
            }
            if let Some(one) = one
                && runs[1]
                && !one.is_run()
            {
                next[j] = true; // the other takes it
            }
            if let (Some(one), Some(other)) = (one, other)
                && runs == [false, false]
                && one.meets(other)
            {
                next[j + 1] = true;
            }
            if j < b.len() && (runs[1] || runs[0]) {
                row[j + 1] = true;
            }
        }
        row = next;
    }
    ends
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(Path::new(text)).unwrap().unwrap()
    }

    #[test]
    fn paths_without_a_pattern_are_texts() {
        for text in [
            "a",
            "a/b.csv",
            "tuned[alpha=0.5].pth",
            "a[",
            "[]",
            "{a,b}",
            "../a",
            "",
            ".",
        ] {
            assert_eq!(Pattern::parse(Path::new(text)), Ok(None), "{text}");
        }
        assert!(Pattern::parse(Path::new("*/../a")).is_err());
        assert_eq!(pattern("../a/./b*/c").fixed(), Path::new("../a"));
        let folder = pattern("./a/*").folder_of(Path::new("x/./a/*"), Path::new("./a/*"));
        assert_eq!(folder, Path::new("x/./a"));
    }

    #[test]
    fn what_fits() {
        for (text, fits, does_not) in [
            ("*.csv", "a.csv .csv .a.csv", "a.csvx b/a.csv a"),
            ("a?c", "abc aéc", "ac abbc"),
            ("[ab]x", "ax bx", "cx x abx"),
            ("[a-c0]", "a b c 0", "d - 1"),
            ("[!a-c]", "d -", "a c"),
            ("x[*]", "x*", "xa x"),
            ("[[]1]", "[1]", "1"),
            ("**/x", "x a/x a/b/x", "ax a/xx"),
            ("**", "x a/x", ""),
            ("a/**/b*", "a/b a/c/d/bb", "a c/b"),
            ("*a*b*", "ab xaxbx", "ba a b"),
            ("**/[alpha=1]/*", "x/[alpha=1]/y", "x/a/y"),
        ] {
            let whole = pattern(text);
            let rest = |path: &str| {
                let below = Path::new(path).strip_prefix(whole.fixed());
                below.is_ok_and(|below| whole.fits(below))
            };
            for path in fits.split(' ') {
                assert!(rest(path), "{text} {path}");
            }
            for path in does_not.split(' ') {
                assert!(!rest(path), "{text} not {path}");
            }
        }
    }

    #[test]
    fn folders_that_cannot_hold_any_are_not_gone_into() {
        assert!(!pattern("*.csv").leads_into(Path::new("a")));
        assert!(pattern("*/x/*.csv").leads_into(Path::new("a/x")));
        assert!(!pattern("*/x/*.csv").leads_into(Path::new("a/y")));
        assert!(pattern("**/x").leads_into(Path::new("a/y")));
    }

    #[test]
    fn two_touch_where_a_path_may_be_of_both_or_lie_in_what_the_other_fits() {
        for (one, other, touch) in [
            ("r/*.csv", "r/a*", true),
            ("r/*.csv", "r/*.txt", false),
            ("r/[ab]*", "r/[b-c]x", true),
            ("r/[ab]*", "r/[cd]x", false),
            ("r/[!a]", "r/[a]", false),
            ("r/[!a]", "r/[!b]", true),
            ("r/*", "r/d/x*", true),
            ("r/*.csv", "r/d/x*", false),
            ("**/x", "s/*", true),
            ("r/*", "s/*", false),
            ("r/?/x", "r/d/**", true),
        ] {
            let (a, b) = (pattern(one), pattern(other));
            assert_eq!(
                (a.touches(&b), b.touches(&a)),
                (touch, touch),
                "{one} {other}"
            );
        }
        for (one, path, touch) in [
            ("r/*.csv", "r/a.csv", true),
            ("r/*.csv", "r/a.csv/x", true),
            ("r/*.csv", "r", true),
            ("r/*.csv", "r/a.txt", false),
            ("r/*/x", "r/a", true),
            ("r/*/x", "r/a/y", false),
            ("r/*.csv", "s", false),
        ] {
            assert_eq!(
                pattern(one).touches_path(Path::new(path)),
                touch,
                "{one} {path}"
            );
        }
    }
}
