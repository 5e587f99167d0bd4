//! Replaces `${VAR}` by the environment and `{name}` by values, before anything is typed.
//! Unaware of stages; positions stay those of the text that was written.
//!
//! ```text
//!   "${DATA:-{base}}/x{n}"   a text of the file
//!        │ parts: read once, from left to right; a default is text of the file too
//!        v
//!   [Env DATA or [Name base]] [Text /x] [Name n]
//!        │ value: what a variable holds is data, whatever braces stand in it
//!        v
//!   Value
//! ```
//!
//! `{{` is a brace and `$${` is `${`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Problem, suggest};
use crate::limits::{Limits, Meter, What};
use crate::node::{Node, Pos, Value};
use crate::yaml::too_deep;

/// The environment as an argument: parsing the same text with the same map gives the same result.
pub(crate) type Environment = BTreeMap<String, String>;

/// Stands in an [`Environment`] for a value that is not UTF-8; no variable can hold this text itself.
pub const NOT_UTF8: &str = "\0";

/// What is wrong with such a variable where it is asked for.
pub(crate) fn not_utf8(name: &str) -> String {
    format!("the value of the environment variable `{name}` is not UTF-8")
}

/// What to do about it.
pub(crate) const EXPORT_UTF8: &str =
    "export it as UTF-8 text; bytes of another kind can stand in a file that the stage names";

/// Deeper defaults of defaults are refused.
const DEPTH: usize = 16;

/// What is outside of the file: the environment, what was read of it, and how much text may still be made.
pub(crate) struct Outer<'e> {
    env: &'e Environment,
    meter: &'e Meter,
    used: RefCell<BTreeMap<String, String>>,
}

impl<'e> Outer<'e> {
    pub(crate) const fn new(env: &'e Environment, meter: &'e Meter) -> Self {
        Self {
            env,
            meter,
            used: RefCell::new(BTreeMap::new()),
        }
    }

    pub(crate) const fn environment(&self) -> &'e Environment {
        self.env
    }

    pub(crate) const fn meter(&self) -> &'e Meter {
        self.meter
    }

    /// The variables that were read, with the values they gave.
    pub(crate) fn into_used(self) -> BTreeMap<String, String> {
        self.used.into_inner()
    }

    /// The value of a variable. An empty one counts as none.
    fn get(&self, name: &str) -> Option<&'e str> {
        let value = self.env.get(name).map(String::as_str);
        value.filter(|v| !v.is_empty())
    }

    fn note(&self, name: &str, value: &str) {
        let mut used = self.used.borrow_mut();
        if !used.contains_key(name) {
            used.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// What the names in braces stand for: the variables of the file, and the axes of a member before them.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub vars: &'a BTreeMap<String, Node>,
    pub axes: &'a [(&'a str, &'a Node)],
}

impl<'a> Names<'a> {
    /// The variables alone.
    pub(crate) const fn of(vars: &'a BTreeMap<String, Node>) -> Self {
        Self { vars, axes: &[] }
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        let axis = self.axes.iter().rev().find(|(axis, _)| *axis == name);
        axis.map(|(_, node)| *node).or_else(|| self.vars.get(name))
    }

    fn all(&self) -> BTreeSet<&'a str> {
        let axes = self.axes.iter().map(|(axis, _)| *axis);
        axes.chain(self.vars.keys().map(String::as_str)).collect()
    }
}

/// Counts text before it is built.
pub(crate) fn take(meter: &Meter, bytes: u64) -> Result<(), Problem> {
    let exceeded = meter.take(What::Text, bytes);
    exceeded.map_err(|e| Problem::new(Pos::default(), "", e.message()).hint(e.hint()))
}

/// Replaces every `${VAR}`, `${VAR:-default}` and `{name}` in all strings below `node`; a string that is nothing but
/// `{name}` becomes the value itself, of whatever type. Notes which names were used.
pub(crate) fn substitute(
    node: &mut Node,
    values: Names<'_>,
    outer: &Outer<'_>,
    used: &mut BTreeSet<String>,
) -> Result<(), Problem> {
    within(node, 0, values, outer, used)
}

/// `depth` lists and mappings are around the node.
fn within(
    node: &mut Node,
    depth: usize,
    values: Names<'_>,
    outer: &Outer<'_>,
    used: &mut BTreeSet<String>,
) -> Result<(), Problem> {
    match &mut node.value {
        Value::Str(text) if text.contains(['{', '$']) => {
            let pos = node.pos;
            let at = |problem: Problem| problem.at(pos);
            let parts = parts(text).map_err(at)?;
            let mut scope = Scope {
                values,
                outer,
                used,
                depth,
            };
            node.value = scope.value(&parts).map_err(at)?;
        }
        Value::Seq(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                within(item, depth + 1, values, outer, used)
                    .map_err(|p| p.under(&n.to_string()))?;
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                within(value, depth + 1, values, outer, used).map_err(|p| p.under(&key.text))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The variables of the environment that a text names, in its order. Nothing of a text that cannot be read.
pub(crate) fn variables_in(text: &str) -> Vec<&str> {
    fn add<'t>(parts: &[Part<'t>], names: &mut Vec<&'t str>) {
        for part in parts {
            if let Part::Env { name, default } = part {
                names.push(name);
                add(default.as_deref().unwrap_or_default(), names);
            }
        }
    }
    let mut names = Vec::new();
    if text.contains("${") {
        add(&parts(text).unwrap_or_default(), &mut names);
    }
    names
}

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Part<'t> {
    Text(&'t str),
    /// `{name}`
    Name(&'t str),
    /// `${name}` or `${name:-default}`
    Env {
        name: &'t str,
        default: Option<Vec<Part<'t>>>,
    },
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Problem> {
    let mut rest = text;
    sequence(&mut rest, 0)
}

/// Reads to the end of the text or, within a default, to its `}`, which is left.
fn sequence<'t>(rest: &mut &'t str, depth: usize) -> Result<Vec<Part<'t>>, Problem> {
    let mut parts = Vec::new();
    let special: &[char] = if depth == 0 {
        &['{', '$']
    } else {
        &['{', '$', '}']
    };
    while !rest.is_empty() {
        let at = rest.find(special).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(at);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        *rest = after;
        if rest.is_empty() || (depth > 0 && rest.starts_with('}')) {
            break;
        }
        parts.push(one(rest, depth)?);
    }
    Ok(parts)
}

/// Reads what begins with `{` or `$`.
fn one<'t>(rest: &mut &'t str, depth: usize) -> Result<Part<'t>, Problem> {
    // What is written doubled, and what that is.
    for (written, length) in [("$${", 2), ("{{}}", 2), ("{{", 1)] {
        if rest.starts_with(written) {
            let (whole, after) = rest.split_at(written.len());
            *rest = after;
            return Ok(Part::Text(match written {
                "{{}}" => "{}",
                _ => &whole[whole.len() - length..],
            }));
        }
    }
    if rest.starts_with("${") {
        return variable(rest, depth);
    }
    if let Some((name, after)) = named(rest) {
        *rest = after;
        return Ok(Part::Name(name));
    }
    let (character, after) = rest.split_at(1);
    *rest = after;
    Ok(Part::Text(character))
}

/// The name in `{name}`, where the text begins so, and what follows.
fn named(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let (name, after) = inner.split_at(inner.find(|c| !in_name(c))?);
    let after = after.strip_prefix('}')?;
    is_name(name).then_some((name, after))
}

fn variable<'t>(rest: &mut &'t str, depth: usize) -> Result<Part<'t>, Problem> {
    let begin = *rest;
    let inner = &begin[2..];
    let end = inner.find('}').ok_or_else(|| unclosed(begin))?;
    let (name, default) = match inner[..end].find(":-") {
        Some(at) => (&inner[..at], Some(&inner[at + 2..])),
        None => (&inner[..end], None),
    };
    let Some(mut text) = default else {
        *rest = &inner[end + 1..];
        return Ok(Part::Env {
            name,
            default: None,
        });
    };
    if depth >= DEPTH {
        let message = format!("`${{…}}` stands more than {DEPTH} deep in defaults of others");
        return Err(Problem::new(Pos::default(), "", message));
    }
    let default = sequence(&mut text, depth + 1)?;
    *rest = text.strip_prefix('}').ok_or_else(|| unclosed(begin))?;
    Ok(Part::Env {
        name,
        default: Some(default),
    })
}

fn unclosed(text: &str) -> Problem {
    let line = text.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(20).collect();
    let more = if shown.len() < line.len() { "…" } else { "" };
    let message = format!("`{shown}{more}` has no closing brace");
    let hint = "write `${NAME}` for a variable of the environment; `${` itself is written `$${`";
    Problem::new(Pos::default(), "", message).hint(hint)
}

/// Where values come from, for one text.
struct Scope<'a> {
    values: Names<'a>,
    outer: &'a Outer<'a>,
    used: &'a mut BTreeSet<String>,
    /// Lists and mappings around the text.
    depth: usize,
}

impl Scope<'_> {
    fn value(&mut self, parts: &[Part<'_>]) -> Result<Value, Problem> {
        match parts {
            [Part::Name(name)] => {
                let value = look_up(name, self.values)?;
                if self.depth + value.depth() > Limits::DEPTH {
                    return Err(Problem::new(Pos::default(), "", too_deep()));
                }
                take(self.outer.meter, value.weight())?;
                self.used.insert((*name).to_owned());
                Ok(value.value.clone())
            }
            parts => Ok(Value::Str(self.text(parts)?)),
        }
    }

    fn text(&mut self, parts: &[Part<'_>]) -> Result<String, Problem> {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => {
                    let spelled = spelled(name, self.values)?;
                    take(self.outer.meter, spelled.len() as u64)?;
                    out.push_str(&spelled);
                    self.used.insert((*name).to_owned());
                }
                Part::Env { name, default } => {
                    let meter = self.outer.meter;
                    let value = self.variable(name, default.as_deref())?;
                    take(meter, value.len() as u64)?;
                    out.push_str(&value);
                }
            }
        }
        Ok(out)
    }

    fn variable(
        &mut self,
        name: &str,
        default: Option<&[Part<'_>]>,
    ) -> Result<Cow<'_, str>, Problem> {
        // A name in a default is used, whether or not the default is needed this time.
        names_in(default.unwrap_or_default(), self.used);
        let value = match (self.outer.get(name), default) {
            (Some(NOT_UTF8), _) => {
                let problem = Problem::new(Pos::default(), "", not_utf8(name));
                return Err(problem.hint(EXPORT_UTF8));
            }
            (Some(value), _) => Cow::Borrowed(value),
            (None, Some(default)) => Cow::Owned(self.text(default)?),
            (None, None) => return Err(missing_variable(name)),
        };
        self.outer.note(name, &value);
        Ok(value)
    }
}

fn names_in(parts: &[Part<'_>], used: &mut BTreeSet<String>) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Name(name) => drop(used.insert((*name).to_owned())),
            Part::Env { default, .. } => names_in(default.as_deref().unwrap_or_default(), used),
        }
    }
}

fn missing_variable(name: &str) -> Problem {
    let identifier = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let (message, hint) = if identifier {
        (
            format!("the environment variable `{name}` is not set"),
            format!("export {name}=…, or write `${{{name}:-default}}`"),
        )
    } else {
        (
            format!("`{name}` cannot be a variable of the environment"),
            format!("write `${{NAME}}`; for the text `${{{name}}}` itself write `$${{{name}}}`"),
        )
    };
    Problem::new(Pos::default(), "", message).hint(hint)
}

fn is_name(text: &str) -> bool {
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && text.chars().all(in_name)
}

const fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn look_up<'v>(name: &str, values: Names<'v>) -> Result<&'v Node, Problem> {
    values.get(name).ok_or_else(|| {
        let known: Vec<&str> = values.all().into_iter().collect();
        let message = format!("nothing is called `{{{name}}}` here");
        let hint = format!(
            "{}; a brace itself is written `{{{{`",
            suggest(name, &known, "names")
        );
        Problem::new(Pos::default(), "", message).hint(hint)
    })
}

fn spelled(name: &str, values: Names<'_>) -> Result<String, Problem> {
    let node = look_up(name, values)?;
    node.scalar().ok_or_else(|| {
        let message = format!(
            "`{{{name}}}` is {} and cannot stand inside a text",
            node.describe()
        );
        Problem::new(Pos::default(), "", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    fn values(yaml: &str) -> BTreeMap<String, Node> {
        let node = parse(yaml, 0).unwrap();
        node.entries()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.text.clone(), v.clone()))
            .collect()
    }

    fn env(pairs: &[(&str, &str)]) -> Environment {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn whole_placeholders_keep_their_type_and_parts_become_text() {
        let mut node = parse("a: '{n}'\nb: 'x{n}y'\nc: '{{n}}'\nd: '{list}'", 0).unwrap();
        let mut used = BTreeSet::new();
        let env = env(&[]);
        substitute(
            &mut node,
            Names::of(&values("n: 4\nlist: [1, 2]")),
            &Outer::new(&env, &Meter::default()),
            &mut used,
        )
        .unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Plain("4".into()));
        assert_eq!(node.get("b").unwrap().value, Value::Str("x4y".into()));
        assert_eq!(node.get("c").unwrap().value, Value::Str("{n}}".into()));
        assert!(matches!(node.get("d").unwrap().value, Value::Seq(_)));
        assert_eq!(used.len(), 2);
    }

    fn text(text: &str, variables: &[(&str, &str)]) -> Result<String, Problem> {
        let env = env(variables);
        let meter = Meter::default();
        let outer = Outer::new(&env, &meter);
        let mut used = BTreeSet::new();
        let vars = values("n: 4\nm: '{n}'");
        let mut scope = Scope {
            values: Names::of(&vars),
            outer: &outer,
            used: &mut used,
            depth: 0,
        };
        scope.text(&parts(text)?)
    }

    #[test]
    fn what_a_variable_holds_is_data() {
        let hostile = [("X", "{n} ${Y} $${Z} {{ }}"), ("Y", "y"), ("P", "n")];
        let cases = [
            ("${X}", "{n} ${Y} $${Z} {{ }}"),
            ("{${P}}", "{n}"),
            ("a${X}{n}", "a{n} ${Y} $${Z} {{ }}4"),
            ("{m}", "{n}"),
            ("${NO:-{n}}", "4"),
            ("${NO:-a{n}b${Y}}c", "a4byc"),
            ("${NO:-${NEITHER:-{m}}}", "{n}"),
            ("${Y:-{n}}", "y"),
            ("$${Y} $Y $$ $", "${Y} $Y $$ $"),
            ("$${Y:-{n}}", "${Y:-4}"),
            ("{{}} {{n}} { n } {a,b} {", "{} {n}} { n } {a,b} {"),
        ];
        for (written, expected) in cases {
            assert_eq!(text(written, &hostile).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_not_closed_or_no_variable_is_said() {
        let says = |written: &str| text(written, &[("X", "x")]).unwrap_err().message;
        assert_eq!(says("a ${X"), "`${X` has no closing brace");
        assert_eq!(says("${X:-${Y}"), "`${X:-${Y}` has no closing brace");
        assert_eq!(
            says("${NOPE}"),
            "the environment variable `NOPE` is not set"
        );
        assert_eq!(
            says("${X%.*}"),
            "`X%.*` cannot be a variable of the environment"
        );
        assert_eq!(says("${}"), "`` cannot be a variable of the environment");
        assert_eq!(
            says(&"${A:-".repeat(100_000)),
            "`${A:-${A:-${A:-${A:-…` has no closing brace"
        );
        let deep = format!("{}{}", "${A:-".repeat(1000), "}".repeat(1000));
        assert!(says(&deep).contains("more than 16 deep"));
    }

    #[test]
    fn environment_reads_defaults_and_notes_them() {
        let mut node = parse("a: ${X}/${Y:-z}", 0).unwrap();
        let env = env(&[("X", "x")]);
        let meter = Meter::default();
        let outer = Outer::new(&env, &meter);
        let vars = BTreeMap::new();
        let none = Names::of(&vars);
        substitute(&mut node, none, &outer, &mut BTreeSet::new()).unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Str("x/z".into()));
        let mut bad = parse("a: ${NOPE}", 0).unwrap();
        let problem = substitute(&mut bad, none, &outer, &mut BTreeSet::new()).unwrap_err();
        assert_eq!((problem.pos.line, problem.path.as_str()), (1, "a"));
        assert_eq!(outer.into_used()["Y"], "z");
    }

    #[test]
    fn the_variables_that_a_text_names_are_known() {
        assert_eq!(
            variables_in("${A} $B $${C} ${D:-${E}} {f}"),
            ["A", "D", "E"]
        );
    }
}
