//! `--set path=value`: finds what the path means in the merged file, and lays the value there.
//! Unaware of types: whether the value fits is asked when the stage is read.
//!
//! ```text
//!   vars.net."a.b".0=[1, 2]
//!        │ split: steps at `.`, quotes keep a name together; the first `=` outside quotes and brackets ends the path
//!        │ check: every step meets a variable, a stage, a field that its kind has, an axis, an item of a list
//!        v
//!   Node::set
//! ```
//!
//! A field that the kind has may be set although the file does not write it. A name that the user chose (a variable, a
//! stage, an entry of `env:`) must be there: a new one is a misspelt one. Only where there is no `env:` at all its first
//! entry may be set: there is nothing that it could be a misspelling of.

use crate::error::{Problem, suggest};
use crate::fields::{STAGE_LEVEL, TOP_LEVEL, fields_of_kind};
use crate::kinds::{Kind, Resources};
use crate::limits::Limits;
use crate::node::{Node, Pos, Value};
use crate::renamed;
use crate::yaml;

/// What is typed; shown where a path cannot be taken apart.
const FORM: &str = "write --set stages.NAME.KIND.FIELD=VALUE";

/// Lays one `path=value` upon the file. `source` names the override in messages.
pub(crate) fn apply(
    root: &mut Node,
    text: &str,
    source: usize,
    notes: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let at = Pos {
        source,
        line: 0,
        column: 0,
    };
    let wrong = |message: String| Problem::new(at, "", message).hint(FORM);
    let (steps, value) = split(text).ok_or_else(|| wrong("expected `path=value`".into()))?;
    let mut value = yaml::parse(value, source).map_err(|e| wrong(e.message))?;
    flatten_positions(&mut value, at);
    if steps.len() > Limits::DEPTH {
        return Err(wrong(format!("a path has at most {} steps", Limits::DEPTH)));
    }
    let axis = axis_name(root, &steps).map(str::to_owned);
    let mut steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    if let Some(axis) = &axis {
        steps[3] = axis;
    }
    if let ["stages", _, kind, field, ..] = steps[..] {
        let current = renamed::current(kind, field);
        if current != field {
            notes.push(renamed::note(field, current).at(at));
            steps[3] = current;
        }
    }
    check(root, &steps, &value, at)?;
    root.set(&steps, value).map_err(|step| {
        let path = steps.join(".");
        wrong(format!("`{path}` cannot be set: `{step}` is not there"))
    })
}

/// The name that the file gives an axis, where the path leads to one.
fn axis_name<'a>(root: &'a Node, steps: &'a [String]) -> Option<&'a str> {
    match steps {
        [stages, name, each, axis, ..] if stages == "stages" && each == "each" => {
            let body = root.get("stages")?.get(name)?;
            let kinds = renamed::kinds_of(body);
            let is_known = !kinds.is_empty();
            let each = body.get("each").filter(|_| is_known)?;
            Some(renamed::axis_in(each, axis, &kinds))
        }
        _ => None,
    }
}

/// The steps of the path and the text of the value; nothing where there is no path or no `=`.
fn split(text: &str) -> Option<(Vec<String>, &str)> {
    let mut steps = vec![String::new()];
    let mut quote = None;
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        let step = steps.last_mut()?;
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => step.push(c),
            '"' | '\'' if step.is_empty() => quote = Some(c),
            '=' if depth == 0 => {
                let whole = steps.iter().all(|step| !step.is_empty());
                return whole.then(|| (steps, &text[at + 1..]));
            }
            '.' if depth == 0 => steps.push(String::new()),
            _ => {
                match c {
                    '[' => depth += 1,
                    ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                step.push(c);
            }
        }
    }
    None
}

/// `--set` values have no line: their source says what was typed.
fn flatten_positions(node: &mut Node, at: Pos) {
    node.pos = at;
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(|n| flatten_positions(n, at)),
        Value::Map(entries) => entries.iter_mut().for_each(|(k, n)| {
            k.pos = at;
            flatten_positions(n, at);
        }),
        _ => {}
    }
}

fn check(root: &Node, steps: &[&str], value: &Node, at: Pos) -> Result<(), Problem> {
    match steps {
        ["include", ..] => {
            let message = "`include` cannot be set: included files are read before";
            Err(Problem::new(at, "", message).hint("name another pipeline file"))
        }
        ["vars"] => {
            let mut names = value.entries().unwrap_or_default().iter();
            names.try_for_each(|(key, _)| variable(root, &[&key.text], at))
        }
        ["vars", rest @ ..] => variable(root, rest, at),
        ["stages"] => {
            let message = "`stages` cannot be set as a whole";
            Err(Problem::new(at, "", message).hint(FORM))
        }
        ["stages", name, rest @ ..] => stage(root, name, rest, at),
        [first, ..] => Err(top_level(root, first, steps, at)),
        [] => Ok(()),
    }
}

/// A path that begins with no field of a file: often `vars.` or `stages.` was left out.
fn top_level(root: &Node, first: &str, steps: &[&str], at: Pos) -> Problem {
    let within = |field: &&&str| root.get(field).is_some_and(|n| n.get(first).is_some());
    let hint = match ["vars", "stages"].iter().find(within) {
        Some(field) => format!("did you mean `{field}.{}`?", steps.join(".")),
        None => suggest(first, TOP_LEVEL, "fields"),
    };
    Problem::new(at, "", format!("unknown field `{first}`")).hint(hint)
}

fn variable(root: &Node, steps: &[&str], at: Pos) -> Result<(), Problem> {
    let none = Node {
        value: Value::Map(Vec::new()),
        pos: at,
    };
    let vars = root.get("vars").unwrap_or(&none);
    exists(vars, steps, "vars", "variables", at)
}

/// Every step is there below `node`, which `path` names.
fn exists(node: &Node, steps: &[&str], path: &str, what: &str, at: Pos) -> Result<(), Problem> {
    let [step, rest @ ..] = steps else {
        return Ok(());
    };
    let missing = |hint: String| {
        let message = format!("there is no `{path}.{step}`");
        Err(Problem::new(at, "", message).hint(hint))
    };
    let next = match &node.value {
        Value::Seq(items) => match step.parse::<usize>().ok().and_then(|n| items.get(n)) {
            Some(item) => item,
            None => return missing(format!("`{path}` has {} items, from 0 on", items.len())),
        },
        _ => match (node.get(step), node.entries()) {
            (Some(next), _) => next,
            (None, Some(entries)) => {
                let known: Vec<&str> = entries.iter().map(|(k, _)| k.text.as_str()).collect();
                return missing(suggest(step, &known, what));
            }
            (None, None) => return missing(format!("`{path}` is {}", node.describe())),
        },
    };
    exists(next, rest, &format!("{path}.{step}"), "names", at)
}

fn stage(root: &Node, name: &str, rest: &[&str], at: Pos) -> Result<(), Problem> {
    let stages = root.get("stages");
    let Some(body) = stages.and_then(|s| s.get(name)) else {
        let entries = stages.and_then(Node::entries).unwrap_or_default();
        let known: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
        let message = format!("there is no stage `{name}`");
        let hint = match name.split_once('[') {
            Some((base, _)) if known.contains(&base) => {
                format!("a value is set for all members: stages.{base}.…")
            }
            _ => suggest(name, &known, "stages"),
        };
        return Err(Problem::new(at, "", message).hint(hint));
    };
    let [field, rest @ ..] = rest else {
        return Ok(());
    };
    let path = format!("stages.{name}");
    let kinds = kinds_of(body);
    match *field {
        "each" => axis(root, body, &kinds, rest, at).map_err(|p| p.under(&path)),
        "resources" => {
            let known = crate::de::fields_of::<Resources>();
            known_field(rest, known, &format!("{path}.resources"), at)
        }
        kind if kinds.contains(&kind) => {
            let path = format!("{path}.{kind}");
            known_field(rest, &fields_of_kind(kind), &path, at)?;
            let chosen = matches!((kind, rest), ("command", ["env" | "stages", _, ..]));
            match body.get(kind) {
                Some(config) if chosen && !is_first_variable(config, rest) => {
                    exists(config, rest, &path, "fields", at)
                }
                _ => Ok(()),
            }
        }
        other => Err(no_such_part(other, &kinds, &path, at)),
    }
}

fn is_first_variable(command: &Node, steps: &[&str]) -> bool {
    matches!(steps, ["env", _]) && command.get("env").is_none()
}

/// The kinds that a stage says it is of; all there are, where it says none.
fn kinds_of(body: &Node) -> Vec<&'static str> {
    let says = |kind: &&&str| {
        body.get(kind)
            .is_some_and(|n| !matches!(n.value, Value::Null(_)))
    };
    let own: Vec<&str> = Kind::NAMES.iter().filter(says).copied().collect();
    if own.is_empty() {
        Kind::NAMES.to_vec()
    } else {
        own
    }
}

fn no_such_part(found: &str, kinds: &[&str], path: &str, at: Pos) -> Problem {
    let known: Vec<&str> = kinds.iter().chain(STAGE_LEVEL).copied().collect();
    let message = match kinds {
        [own] if Kind::NAMES.contains(&found) => {
            format!("it is a `{own}` stage and has no `{found}`")
        }
        _ => format!("unknown stage kind or field `{found}`"),
    };
    Problem::new(at, path, message).hint(suggest(found, &known, "names"))
}

fn known_field(rest: &[&str], known: &[&str], path: &str, at: Pos) -> Result<(), Problem> {
    match rest {
        [field, ..] if !known.contains(field) => {
            let message = format!("unknown field `{field}`");
            Err(Problem::new(at, path, message).hint(suggest(field, known, "fields")))
        }
        _ => Ok(()),
    }
}

/// An axis is one that there is, a field of the kind, or a variable that is then swept.
fn axis(
    root: &Node,
    body: &Node,
    kinds: &[&'static str],
    rest: &[&str],
    at: Pos,
) -> Result<(), Problem> {
    let each = body.get("each");
    let [axis, below @ ..] = rest else {
        return Ok(());
    };
    if let Some(values) = each.and_then(|e| e.get(axis)) {
        return exists(values, below, &format!("each.{axis}"), "axes", at);
    }
    let entries = |node: Option<&Node>| -> Vec<String> {
        let entries = node.and_then(Node::entries).unwrap_or_default();
        entries.iter().map(|(key, _)| key.text.clone()).collect()
    };
    let mut known = entries(each);
    known.extend(entries(root.get("vars")));
    let fields = kinds.iter().flat_map(|kind| fields_of_kind(kind));
    let former = kinds
        .iter()
        .flat_map(|kind| renamed::former(kind))
        .map(|(old, _)| old);
    known.extend(fields.chain(former).map(str::to_owned));
    if known.iter().any(|k| k == "seed") {
        known.push("seeds".into());
    }
    known.extend(["zip".to_owned(), "exclude".to_owned()]);
    if below.is_empty() && known.iter().any(|k| k == axis) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let message = format!("there is no axis `{axis}`");
    Err(Problem::new(at, "each", message).hint(suggest(axis, &known, "axes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_at_the_first_equals_sign_outside_quotes_and_brackets() {
        let parts = |text| split(text).map(|(steps, value)| (steps.join("|"), value));
        let found = |text, steps: &str, value| {
            assert_eq!(parts(text), Some((steps.to_owned(), value)), "{text}");
        };
        found("vars.a=b=c", "vars|a", "b=c");
        found("vars.\"a.b=c\".0=", "vars|a.b=c|0", "");
        found("vars.'x y'=1", "vars|x y", "1");
        found(
            "stages.t[alpha=0.5].tune.lr=1",
            "stages|t[alpha=0.5]|tune|lr",
            "1",
        );
        for text in [
            "",
            "=1",
            "a",
            "a.=1",
            ".a=1",
            "a..b=1",
            "vars.\"a=1",
            "\"\"=1",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
