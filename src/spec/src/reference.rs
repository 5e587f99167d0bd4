//! References from one stage to another: `name`, `name[value]`, `name[axis=value,…]`; `*` and `?` match in any part.
//! Unaware of what the stages do.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use crate::error::{listed, suggest};
use crate::renamed::same_axis;
use crate::scalar::same_number;
use diagnostics::shown::line;

/// The members a stage has after expansion, for looking references up.
#[derive(Default)]
pub(crate) struct Index<'a> {
    by_name: HashMap<&'a str, usize>,
    by_base: BTreeMap<&'a str, Vec<usize>>,
    /// Members of a stage by the value of one of their axes; made for a stage when a reference first selects by value.
    by_value: RefCell<HashMap<&'a str, ByValue<'a>>>,
    /// The stages in the order they were added: patterns find them in it.
    bases: Vec<&'a str>,
    axes: Vec<Cow<'a, [(String, String)]>>,
    /// Names and members that references were compared with so far.
    compared: Cell<u64>,
}

/// How many names and members all references together may be compared with: some seconds' worth.
const MOST_COMPARED: u64 = 1 << 28;

/// The longest pattern.
const MOST_PATTERN: usize = 1000;

type ByValue<'a> = HashMap<Cow<'a, str>, Vec<usize>>;

/// Why a reference points nowhere. The words are looked for when they are wanted: that may take longer than finding out.
pub(crate) struct Dangling<'i, 'a> {
    why: Why<'i, 'a>,
}

enum Why<'i, 'a> {
    NoStage(String, &'i Index<'a>),
    NoMatch(String, &'i Index<'a>),
    NoMember(String, String, &'i Index<'a>),
    Unclosed(String),
    TooMuch,
    TooLong,
}

impl Dangling<'_, '_> {
    /// What is wrong, and what to do.
    pub(crate) fn words(&self) -> (String, String) {
        match &self.why {
            Why::NoStage(base, index) => {
                let known: Vec<&str> = index.by_base.keys().copied().collect();
                let message = format!("there is no stage `{base}`");
                (message, suggest(base, &known, "stages"))
            }
            Why::NoMatch(text, index) => (
                format!("`{text}` matches no stage"),
                format!("stages: {}", listed(&index.bases)),
            ),
            Why::NoMember(text, base, index) => index.no_member(text, base),
            Why::Unclosed(text) => (
                format!("`{text}` has no closing bracket"),
                "write `name[axis=value]`".into(),
            ),
            Why::TooMuch => (
                "the patterns of this file are compared with too many stages".into(),
                "name stages and members, or use fewer patterns".into(),
            ),
            Why::TooLong => (
                format!("a pattern has at most {MOST_PATTERN} characters"),
                "name the stage".into(),
            ),
        }
    }
}

impl<'a> Index<'a> {
    /// Adds member number `self.len()`.
    pub(crate) fn push(
        &mut self,
        base: &'a str,
        name: &'a str,
        axes: impl Into<Cow<'a, [(String, String)]>>,
    ) {
        let at = self.axes.len();
        self.by_name.insert(name, at);
        let members = self.by_base.entry(base).or_default();
        if members.is_empty() {
            self.bases.push(base);
        }
        members.push(at);
        self.axes.push(axes.into());
    }

    /// Members of the stage called `base`; `None` when there is no such stage.
    pub(crate) fn members(&self, base: &str) -> Option<&[usize]> {
        self.by_base.get(base).map(Vec::as_slice)
    }

    /// What tells a member from the others of its stage: `alpha=0.5,variant=spt`.
    pub(crate) fn label(&self, at: usize) -> String {
        labelled(&self.axes[at])
    }

    /// All members the reference `text` points at, at least one.
    pub(crate) fn resolve(&self, text: &str) -> Result<Vec<usize>, Dangling<'_, 'a>> {
        if let Some(&at) = self.by_name.get(text) {
            return Ok(vec![at]);
        }
        let dangling = |why| Err(Dangling { why });
        let Some((base, selectors)) = split(text) else {
            return dangling(Why::Unclosed(text.to_owned()));
        };
        if is_pattern(text) && text.len() > MOST_PATTERN {
            return dangling(Why::TooLong);
        }
        if self.compared.get() > MOST_COMPARED {
            return dangling(Why::TooMuch);
        }
        if is_pattern(base) {
            let found = self.resolve_pattern(base, &selectors);
            return if found.is_empty() {
                dangling(Why::NoMatch(text.to_owned(), self))
            } else {
                Ok(found)
            };
        }
        let Some(members) = self.members(base) else {
            return dangling(Why::NoStage(base.to_owned(), self));
        };
        let found = self.selected(base, members, &selectors);
        if found.is_empty() {
            dangling(Why::NoMember(text.to_owned(), base.to_owned(), self))
        } else {
            Ok(found)
        }
    }

    /// All members of all stages that `pattern` matches.
    fn resolve_pattern(&self, pattern: &str, selectors: &[Selector<'_>]) -> Vec<usize> {
        self.compares(self.bases.len());
        let bases = self.bases.iter().filter(|base| glob(pattern, base));
        let members = bases.flat_map(|base| self.by_base[base].iter().copied());
        let mut found = self.matching(members, selectors);
        found.sort_unstable();
        found
    }

    /// The members that all selectors fit. Where one names a value, only those that have it are looked at: each of a
    /// thousand stages may pick its own of a thousand members.
    fn selected(&self, base: &str, members: &[usize], selectors: &[Selector<'_>]) -> Vec<usize> {
        let fits = |all: &[usize]| -> Vec<usize> {
            self.compares(all.len() * selectors.len());
            self.matching(all.iter().copied(), selectors)
        };
        let exact = selectors.iter().filter(|s| !is_pattern(s.value));
        let (Some((&base, _)), true) = (self.by_base.get_key_value(base), members.len() > FEW)
        else {
            return fits(members);
        };
        let mut by_value = self.by_value.borrow_mut();
        let by_value = by_value
            .entry(base)
            .or_insert_with(|| self.by_value_of(members));
        let few = exact.map(|s| {
            by_value
                .get(&same_spelling(s.value))
                .map_or(&[][..], Vec::as_slice)
        });
        fits(few.min_by_key(|all| all.len()).unwrap_or(members))
    }

    fn compares(&self, names: usize) {
        self.compared.set(self.compared.get() + names as u64);
    }

    fn by_value_of(&self, members: &[usize]) -> ByValue<'a> {
        let mut found = ByValue::new();
        for &at in members {
            for (_, value) in self.axes[at].iter() {
                let value = Cow::Owned(same_spelling(value).into_owned());
                let all = found.entry(value).or_default();
                if all.last() != Some(&at) {
                    all.push(at);
                }
            }
        }
        found
    }

    /// The same as [`Index::resolve`], for what was typed on the command line.
    pub(crate) fn found(&self, target: &str) -> Result<Vec<usize>, String> {
        self.resolve(target).map_err(|dangling| {
            let (message, hint) = dangling.words();
            format!("{message}\nhint: {hint}")
        })
    }

    /// Those that all selectors fit. A value that a member has letter by letter is meant so (`1.1` beside `1.10`), any
    /// other may be spelled otherwise (`1` for `1.0`).
    fn matching(
        &self,
        members: impl Iterator<Item = usize>,
        selectors: &[Selector<'_>],
    ) -> Vec<usize> {
        let mut left: Vec<usize> = members.collect();
        for selector in selectors {
            let fits = |at: usize, same: fn(&str, &str) -> bool| {
                let axes = self.axes[at].iter();
                let is_there = |wanted: &str| self.axes[at].iter().any(|(axis, _)| axis == wanted);
                let named = |axis: &String| {
                    let same = |wanted: &str| same_axis(&[], wanted, axis);
                    selector
                        .axis
                        .is_none_or(|wanted| wanted == axis || (!is_there(wanted) && same(wanted)))
                };
                axes.into_iter()
                    .any(|(axis, value)| named(axis) && same(value, selector.value))
            };
            let exact = left.iter().any(|&at| fits(at, |a, b| a == b));
            let same = if exact {
                |a: &str, b: &str| a == b
            } else {
                same_value
            };
            left.retain(|&at| fits(at, same));
        }
        left
    }

    fn no_member(&self, text: &str, base: &str) -> (String, String) {
        let members = self.members(base).unwrap_or_default();
        let listed: Vec<String> = members
            .iter()
            .take(8)
            .map(|&at| member_name(base, &self.axes[at]))
            .collect();
        let more = if members.len() > 8 { ", …" } else { "" };
        (
            format!("`{text}` names no member"),
            format!("members: {}{more}", listed.join(", ")),
        )
    }
}

/// `base[axis=value,…]`, or `base` alone without axes.
pub(crate) fn member_name(base: &str, axes: &[(String, String)]) -> String {
    if axes.is_empty() {
        return base.to_owned();
    }
    // What a value holds that cannot stand in a line is escaped in the name, so that no list of names can be forged.
    format!("{base}[{}]", line(&labelled(axes)))
}

fn labelled(axes: &[(String, String)]) -> String {
    let pairs: Vec<String> = axes.iter().map(|(a, v)| format!("{a}={v}")).collect();
    pairs.join(",")
}

/// Which of these names of stages `target` means: a stage, a sweep, a member, or a pattern.
pub fn find(names: &[&str], target: &str) -> Result<Vec<usize>, String> {
    let mut index = Index::default();
    for name in names {
        let (base, axes) = parted(name);
        index.push(base, name, axes);
    }
    index.found(target)
}

/// What [`member_name`] has put together.
fn parted(name: &str) -> (&str, Vec<(String, String)>) {
    let Some((base, rest)) = name.split_once('[') else {
        return (name, Vec::new());
    };
    let inner = rest.strip_suffix(']').unwrap_or(rest);
    let parts = split_outside_brackets(inner).into_iter();
    let axes = parts.filter_map(|part| part.split_once('='));
    (
        base,
        axes.map(|(a, v)| (a.to_owned(), v.to_owned())).collect(),
    )
}

struct Selector<'t> {
    axis: Option<&'t str>,
    value: &'t str,
}

/// Stages of more members get an index by value.
const FEW: usize = 16;

/// One spelling for all that [`same_value`] takes for the same, patterns aside.
fn same_spelling(value: &str) -> Cow<'_, str> {
    match value.parse::<f64>() {
        Ok(number) => Cow::Owned(format!("{:x}", number.to_bits())),
        Err(_) => Cow::Borrowed(value),
    }
}

/// Whether two spellings are the same value (`1` and `1.0`), or the second is a pattern that fits the first.
pub(crate) fn same_value(member: &str, wanted: &str) -> bool {
    member == wanted || same_number(member, wanted) || (is_pattern(wanted) && glob(wanted, member))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether `text` fits `pattern`: `*` is any run of characters, `?` is one.
///
/// Where a later part does not fit, only the last `*` takes one more character: earlier ones have taken as few as they
/// can, and more would not help. So the time is that of the two lengths multiplied, at most, and memory is not needed.
/// `globset` gives `[` and `{` a meaning, which stand in names of members here.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (mut p, mut t) = (pattern.chars(), text.chars());
    // Where to go on after the last `*`, and at which text it was tried last.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut behind = p.clone();
        match (behind.next(), t.clone().next()) {
            (Some('*'), _) => {
                star = Some((behind.clone(), t.clone()));
                p = behind;
                continue;
            }
            (Some(want), Some(found)) if want == '?' || want == found => {
                p = behind;
                t.next();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, tried)) = &mut star else {
            return false;
        };
        if tried.next().is_none() {
            return false;
        }
        p = after.clone();
        t = tried.clone();
    }
}

/// Nothing where the bracket is not closed.
fn split(text: &str) -> Option<(&str, Vec<Selector<'_>>)> {
    let Some((base, rest)) = text.split_once('[') else {
        return Some((text, Vec::new()));
    };
    let inner = rest.strip_suffix(']')?;
    let parts = split_outside_brackets(inner).into_iter();
    Some((base, parts.map(selector).collect()))
}

fn selector(part: &str) -> Selector<'_> {
    match part.split_once('=') {
        Some((axis, value)) if !axis.contains('[') => Selector {
            axis: Some(axis.trim()),
            value: value.trim(),
        },
        _ => Selector {
            axis: None,
            value: part.trim(),
        },
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (i, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index<'static> {
        let mut index = Index::default();
        index.push("plain", "plain", Vec::new());
        for alpha in ["0.5", "1"] {
            for variant in ["spt", "spt_f"] {
                let axes = [
                    ("alpha".into(), alpha.into()),
                    ("variant".into(), variant.into()),
                ];
                let name = member_name("tuned", &axes).leak();
                index.push("tuned", name, axes.to_vec());
            }
        }
        index
    }

    #[test]
    fn members_are_picked_by_value_by_axis_or_all() {
        let index = index();
        assert_eq!(index.found("plain").unwrap(), [0]);
        assert_eq!(index.found("tuned").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.found("tuned[spt_f]").unwrap(), [2, 4]);
        assert_eq!(index.found("tuned[alpha=1.0]").unwrap(), [3, 4]);
        assert_eq!(index.found("tuned[variant=spt,alpha=0.5]").unwrap(), [1]);
    }

    #[test]
    fn patterns_match_stages_and_values() {
        let index = index();
        assert_eq!(index.found("*").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(index.found("tun*").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.found("t?ned[variant=spt*]").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.found("tuned[alpha=*,variant=spt]").unwrap(), [1, 3]);
        assert_eq!(index.found("*[alpha=1]").unwrap(), [3, 4]);
        assert!(index.found("x*").unwrap_err().contains("matches no stage"));
    }

    #[test]
    fn names_alone_are_enough_to_find_members() {
        let names = [
            "plain",
            "tuned[alpha=0.5,variant=spt]",
            "tuned[alpha=1,variant=spt]",
            "s[model=tuned[alpha=1]]",
        ];
        let found = |target| find(&names, target).unwrap();
        assert_eq!(found("tuned"), [1, 2]);
        assert_eq!(found("tuned[1.0]"), [2]);
        assert_eq!(found("s[model=tuned[alpha=1]]"), [3]);
        assert_eq!(found("p*"), [0]);
        assert!(
            find(&names, "plian")
                .unwrap_err()
                .contains("did you mean `plain`?")
        );
    }

    #[test]
    fn what_points_nowhere_says_what_there_is() {
        let index = index();
        for (text, said) in [
            ("plian", "did you mean `plain`?"),
            ("tuned[alpha=3]", "tuned[alpha=0.5,variant=spt]"),
            ("tuned[alpha", "closing bracket"),
        ] {
            let found = index.found(text).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
    }

    #[test]
    fn a_pattern_takes_no_more_time_than_its_length_and_that_of_the_text() {
        let long = "a".repeat(20_000);
        assert!(!glob(&("*a".repeat(200) + "*b"), &long));
        assert!(glob(&"*a".repeat(200), &long));
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("**", "x", true),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxbyybzz", false),
            ("*é?", "caféx", true),
            ("[a]", "[a]", true),
            ("{a,b}", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn members_of_large_sweeps_are_found_as_those_of_small_ones() {
        let mut index = Index::default();
        for a in 0..20 {
            for b in 0..20 {
                let axes = vec![
                    ("a".to_owned(), a.to_string()),
                    ("b".to_owned(), b.to_string()),
                ];
                index.push("s", member_name("s", &axes).leak(), axes);
            }
        }
        assert_eq!(index.found("s[b=3,a=1.0]").unwrap(), [23]);
        assert_eq!(index.found("s[19]").unwrap().len(), 39);
        assert_eq!(index.found("s[a=1*,b=0]").unwrap().len(), 11);
        assert!(index.found("s[a=20]").is_err());
    }
}
