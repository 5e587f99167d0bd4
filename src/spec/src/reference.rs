//! References from one stage to another: `name`, `name[value]`, `name[axis=value,…]`; `*` and `?` match in any part.
//! Unaware of what the stages do.

use std::collections::BTreeMap;

use crate::error::suggest;
use crate::scalar::same_number;

/// The members a stage has after expansion, for looking references up.
#[derive(Default)]
pub(crate) struct Index {
    by_name: BTreeMap<String, usize>,
    by_base: BTreeMap<String, Vec<usize>>,
    /// The stages in the order they were added: patterns find them in it.
    bases: Vec<String>,
    axes: Vec<Vec<(String, String)>>,
}

/// Why a reference points nowhere: message and hint.
pub(crate) type Dangling = (String, String);

impl Index {
    /// Adds member number `self.len()`.
    pub(crate) fn push(&mut self, base: &str, name: &str, axes: &[(String, String)]) {
        let at = self.axes.len();
        self.by_name.insert(name.to_owned(), at);
        let members = self.by_base.entry(base.to_owned()).or_default();
        if members.is_empty() {
            self.bases.push(base.to_owned());
        }
        members.push(at);
        self.axes.push(axes.to_vec());
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
    pub(crate) fn resolve(&self, text: &str) -> Result<Vec<usize>, Dangling> {
        if let Some(&at) = self.by_name.get(text) {
            return Ok(vec![at]);
        }
        let (base, selectors) = split(text)?;
        if is_pattern(base) {
            return self.resolve_pattern(text, base, &selectors);
        }
        let Some(members) = self.members(base) else {
            let known: Vec<&str> = self.by_base.keys().map(String::as_str).collect();
            return Err((
                format!("there is no stage `{base}`"),
                suggest(base, &known, "stages"),
            ));
        };
        let found = self.matching(members.iter().copied(), &selectors);
        if found.is_empty() {
            Err(self.no_member(text, base, members))
        } else {
            Ok(found)
        }
    }

    /// All members of all stages that `pattern` matches, at least one.
    fn resolve_pattern(
        &self,
        text: &str,
        pattern: &str,
        selectors: &[Selector<'_>],
    ) -> Result<Vec<usize>, Dangling> {
        let bases = self.bases.iter().filter(|base| glob(pattern, base));
        let members = bases.flat_map(|base| self.by_base[base].iter().copied());
        let mut found = self.matching(members, selectors);
        found.sort_unstable();
        if found.is_empty() {
            let known: Vec<&str> = self.bases.iter().map(String::as_str).collect();
            let hint = format!("stages: {}", known.join(", "));
            Err((format!("`{text}` matches no stage"), hint))
        } else {
            Ok(found)
        }
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
                let named = |axis: &String| selector.axis.is_none_or(|wanted| wanted == axis);
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

    fn no_member(&self, text: &str, base: &str, members: &[usize]) -> Dangling {
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
    format!("{base}[{}]", labelled(axes))
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
        index.push(base, name, &axes);
    }
    index
        .resolve(target)
        .map_err(|(message, hint)| format!("{message}\nhint: {hint}"))
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

/// Whether two spellings are the same value (`1` and `1.0`), or the second is a pattern that fits the first.
pub(crate) fn same_value(member: &str, wanted: &str) -> bool {
    member == wanted || same_number(member, wanted) || (is_pattern(wanted) && glob(wanted, member))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether `text` fits `pattern`: `*` is any run of characters, `?` is one.
fn glob(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        let tails = text.char_indices().map(|(at, _)| &text[at..]);
        return tails.chain([""]).any(|tail| glob(rest, tail));
    }
    match text.chars().next() {
        Some(c) if first == '?' || first == c => glob(rest, &text[c.len_utf8()..]),
        _ => false,
    }
}

fn split(text: &str) -> Result<(&str, Vec<Selector<'_>>), Dangling> {
    let Some((base, rest)) = text.split_once('[') else {
        return Ok((text, Vec::new()));
    };
    let Some(inner) = rest.strip_suffix(']') else {
        return Err((
            format!("`{text}` has no closing bracket"),
            "write `name[axis=value]`".into(),
        ));
    };
    Ok((
        base,
        split_outside_brackets(inner)
            .into_iter()
            .map(selector)
            .collect(),
    ))
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

    fn index() -> Index {
        let mut index = Index::default();
        index.push("plain", "plain", &[]);
        for alpha in ["0.5", "1"] {
            for variant in ["spt", "spt_f"] {
                let axes = [
                    ("alpha".into(), alpha.into()),
                    ("variant".into(), variant.into()),
                ];
                index.push("tuned", &member_name("tuned", &axes), &axes);
            }
        }
        index
    }

    #[test]
    fn members_are_picked_by_value_by_axis_or_all() {
        let index = index();
        assert_eq!(index.resolve("plain").unwrap(), [0]);
        assert_eq!(index.resolve("tuned").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.resolve("tuned[spt_f]").unwrap(), [2, 4]);
        assert_eq!(index.resolve("tuned[alpha=1.0]").unwrap(), [3, 4]);
        assert_eq!(index.resolve("tuned[variant=spt,alpha=0.5]").unwrap(), [1]);
    }

    #[test]
    fn patterns_match_stages_and_values() {
        let index = index();
        assert_eq!(index.resolve("*").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(index.resolve("tun*").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.resolve("t?ned[variant=spt*]").unwrap(), [1, 2, 3, 4]);
        assert_eq!(index.resolve("tuned[alpha=*,variant=spt]").unwrap(), [1, 3]);
        assert_eq!(index.resolve("*[alpha=1]").unwrap(), [3, 4]);
        assert!(
            index
                .resolve("x*")
                .unwrap_err()
                .0
                .contains("matches no stage")
        );
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
        assert!(
            index
                .resolve("plian")
                .unwrap_err()
                .1
                .contains("did you mean `plain`?")
        );
        assert!(
            index
                .resolve("tuned[alpha=3]")
                .unwrap_err()
                .1
                .contains("tuned[alpha=0.5,variant=spt]")
        );
        assert!(
            index
                .resolve("tuned[alpha")
                .unwrap_err()
                .0
                .contains("closing bracket")
        );
    }
}
