//! Fields that had another name once: the old one is read as the new one, and a note says so.
//! Unaware of what a field means, and of old spellings of values, which the types read themselves.
//!
//! ```text
//!   a file's text ─ Node ─ fields ──> the same with today's names ── include, --set, each ──> kinds
//!                            └─ notes: one an old name, where it stands first
//!   --set path ─ step ──┘        an axis keeps the name that the file gives it (members are called by it);
//!   each: {old: […]} ─ field ──> it sets the field of today's name
//! ```
//!
//! Manifests, records and reports keep the words that they have: no key changes with a name.

use std::collections::BTreeSet;

use crate::error::Problem;
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
        for (at, Renamed { kind, old, new }) in RENAMED.iter().enumerate() {
            let Some(config) = entry(body, kind) else {
                continue;
            };
            let path = format!("stages.{}.{kind}", name.text);
            let has_new = config.get(new).is_some();
            let mut keys = entries(config).into_iter().flatten().map(|(key, _)| key);
            let Some(key) = keys.find(|key| key.text == *old) else {
                continue;
            };
            if has_new {
                let message = format!("`{old}` and `{new}` are one field");
                return Err(Problem::new(key.pos, path, message).hint(format!("give `{new}`")));
            }
            (*new).clone_into(&mut key.text);
            if noted.insert(at) {
                notes.push(note(old, new).at(key.pos).under(&path));
            }
        }
    }
    Ok(())
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
