//! Fields that had another name once: the old one is read as the new one, and a note says so.
//! Unaware of what a field means, and of old spellings of values, which the types read themselves.
//!
//! ```text
//!   a file's text ─ Node ─ fields ──> the same with today's names ── include, --set, each ──> kinds
//!                            └─ notes: one an old name, where it stands first
//!   --set path ─ step ──┘        an axis keeps the name that the file gives it (members are called by it);
//!   each: {old: […]} ─ field ──> it sets the field of today's name; either name selects members
//!   a member's body, after {var} ─ fields_of ──> the same for what variables hold
//! ```
//!
//! Manifests, records and reports keep the words that they have: no key changes with a name.

use std::collections::BTreeSet;

use crate::error::Problem;
use crate::kinds::Kind;
use crate::node::{Key, Node, Pos, Value};

/// A field, by its kind, as it was called and as it is.
struct Renamed {
    kind: &'static str,
    old: &'static str,
    new: &'static str,
}

/// All of them. LQ is what a network gets, whatever was done to it; `lr` is the learning rate alone.
const RENAMED: [Renamed; 6] = [
    renamed("prepare", "lr", "lq"),
    renamed("prepare", "lr_if_present", "lq_if_present"),
    renamed("mask", "of", "source"),
    renamed("tune", "locations", "num_units"),
    renamed("evaluate", "luma", "channel"),
    renamed("command", "pass", "pass_env"),
];

const fn renamed(kind: &'static str, old: &'static str, new: &'static str) -> Renamed {
    Renamed { kind, old, new }
}

/// Today's name of a field.
pub(crate) fn current<'f>(kind: &str, field: &'f str) -> &'f str {
    let found = RENAMED.iter().find(|r| r.kind == kind && r.old == field);
    found.map_or(field, |r| r.new)
}

/// Whether two names of an axis are of one field of one of these kinds; of any kind, where there are none.
pub(crate) fn same_axis(kinds: &[&str], a: &str, b: &str) -> bool {
    let is_pair = |r: &Renamed| (r.old == a && r.new == b) || (r.old == b && r.new == a);
    let is_of_kind = |r: &Renamed| kinds.is_empty() || kinds.contains(&r.kind);
    a == b || RENAMED.iter().any(|r| is_of_kind(r) && is_pair(r))
}

/// Names that fields of a kind had, and have.
pub(crate) fn former(kind: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = RENAMED.iter().filter(move |r| r.kind == kind);
    own.map(|r| (r.old, r.new))
}

/// Gives the fields of all stages of a file their names of today.
///
/// # Errors
///
/// When a stage has a field by both names.
pub(crate) fn fields(root: &mut Node, notes: &mut Vec<Problem>) -> Result<(), Problem> {
    let mut noted = BTreeSet::new();
    let Some(stages) = entry(root, "stages").and_then(entries) else {
        return Ok(());
    };
    for (name, body) in stages {
        let path = format!("stages.{}", name.text);
        for Found { at, pos } in fields_of(body).map_err(|p| p.under(&path))? {
            let Renamed { kind, old, new } = &RENAMED[at];
            if noted.insert(at) {
                notes.push(note(old, new).at(pos).under(&format!("{path}.{kind}")));
            }
        }
    }
    Ok(())
}

/// An old name that was found: which, and where.
pub(crate) struct Found {
    at: usize,
    pos: Pos,
}

/// The same for one stage, such as one whose fields a variable holds.
pub(crate) fn fields_of(body: &mut Node) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    for (at, Renamed { kind, old, new }) in RENAMED.iter().enumerate() {
        let Some(config) = entry(body, kind) else {
            continue;
        };
        let begin = config.pos;
        let Some(entries) = entries(config) else {
            continue;
        };
        let position = |name: &str| entries.iter().position(|(key, _)| key.text == name);
        let Some(by_old) = position(old) else {
            continue;
        };
        let pos = entries[by_old].0.pos;
        if let Some(by_new) = position(new) {
            // What `<<` brings in stands before the mapping, and gives way to what stands in it.
            let is_own = |pos: Pos| pos.source != begin.source || pos >= begin;
            match (is_own(pos), is_own(entries[by_new].0.pos)) {
                (false, true) => {
                    entries.remove(by_old);
                    continue;
                }
                (true, false) => {
                    (*new).clone_into(&mut entries[by_old].0.text);
                    entries.remove(by_new);
                }
                _ => {
                    let message = format!("`{old}` and `{new}` are one field");
                    return Err(Problem::new(pos, *kind, message).hint(format!("give `{new}`")));
                }
            }
        } else {
            (*new).clone_into(&mut entries[by_old].0.text);
        }
        found.push(Found { at, pos });
    }
    Ok(found)
}

/// Gives the axes of stages that are laid over others the names that these have.
pub(crate) fn axes(over: &mut Node, base: &Node) {
    let Some(stages) = entry(over, "stages").and_then(entries) else {
        return;
    };
    for (name, body) in stages {
        let under = base.get("stages").and_then(|stages| stages.get(&name.text));
        let kinds: Vec<&str> = under.map_or(Vec::new(), kinds_of);
        let below = under.and_then(|body| body.get("each"));
        let (Some(below), Some(each)) = (below, entry(body, "each").and_then(entries)) else {
            continue;
        };
        if kinds.is_empty() {
            continue;
        }
        for (axis, _) in each {
            axis.text = axis_in(below, &axis.text, &kinds).to_owned();
        }
    }
}

/// The kinds that a stage's body names.
pub(crate) fn kinds_of(body: &Node) -> Vec<&str> {
    let entries = body.entries().unwrap_or_default().iter();
    let names = entries.map(|(key, _)| key.text.as_str());
    names.filter(|name| Kind::NAMES.contains(name)).collect()
}

/// The name by which an `each` of a stage of these kinds has an axis, where it has it.
pub(crate) fn axis_in<'a>(each: &'a Node, axis: &'a str, kinds: &[&str]) -> &'a str {
    let known = each.entries().unwrap_or_default();
    let names = || known.iter().map(|(key, _)| key.text.as_str());
    if names().any(|name| name == axis) {
        return axis;
    }
    let same = |name: &&str| same_axis(kinds, name, axis);
    names().find(same).unwrap_or(axis)
}

/// What is said of an old name.
pub(crate) fn note(old: &str, new: &str) -> Problem {
    let message = format!("`{old}` is called `{new}` now");
    Problem::new(Pos::default(), "", message).hint("the old name works as before")
}

fn entry<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let mut found = entries(node)?.iter_mut();
    found.find(|(k, _)| k.text == key).map(|(_, n)| n)
}

fn entries(node: &mut Node) -> Option<&mut Vec<(Key, Node)>> {
    match &mut node.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}
