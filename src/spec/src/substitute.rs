//! Replaces `${VAR}` by the environment and `{name}` by values, before anything is typed.
//! Unaware of stages; positions stay those of the text that was written.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Problem, suggest};
use crate::node::{Node, Value};

/// The environment as an argument: parsing the same text with the same map gives the same result.
pub(crate) type Environment = BTreeMap<String, String>;

/// Replaces every `${VAR}` and `${VAR:-default}` in all strings below `node`; notes what was read in `used`.
pub(crate) fn environment(
    node: &mut Node,
    env: &Environment,
    used: &mut BTreeMap<String, String>,
) -> Result<(), Problem> {
    each_string(node, &mut |text, pos| {
        let replaced =
            replace_env(text, env, used).map_err(|name| missing_variable(&name).at(pos))?;
        Ok(Some(Value::Str(replaced)))
    })
}

/// Replaces every `{name}` in all strings below `node`; a string that is nothing but `{name}` becomes the value
/// itself, of whatever type. `{{` stands for a brace. Notes which names were used.
pub(crate) fn placeholders(
    node: &mut Node,
    values: &BTreeMap<String, Node>,
    used: &mut BTreeSet<String>,
) -> Result<(), Problem> {
    each_string(node, &mut |text, pos| {
        if let Some(name) = whole_placeholder(text) {
            let value = look_up(name, values).map_err(|p| p.at(pos))?;
            used.insert(name.to_owned());
            return Ok(Some(value.value.clone()));
        }
        replace_names(text, values, used)
            .map(|s| Some(Value::Str(s)))
            .map_err(|p| p.at(pos))
    })
}

trait At {
    fn at(self, pos: crate::node::Pos) -> Self;
}

impl At for Problem {
    fn at(mut self, pos: crate::node::Pos) -> Self {
        self.pos = pos;
        self
    }
}

type Replace<'a> = dyn FnMut(&str, crate::node::Pos) -> Result<Option<Value>, Problem> + 'a;

fn each_string(node: &mut Node, replace: &mut Replace<'_>) -> Result<(), Problem> {
    match &mut node.value {
        Value::Str(text) if text.contains(['{', '$']) => {
            if let Some(value) = replace(text, node.pos)? {
                node.value = value;
            }
        }
        Value::Seq(items) => {
            for item in items {
                each_string(item, replace)?;
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                each_string(value, replace).map_err(|p| p.under(&key.text))?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn missing_variable(name: &str) -> Problem {
    let message = format!("the environment variable `{name}` is not set");
    let hint = format!("export {name}=…, or write `${{{name}:-default}}`");
    Problem::new(crate::node::Pos::default(), "", message).hint(hint)
}

fn replace_env(
    text: &str,
    env: &Environment,
    used: &mut BTreeMap<String, String>,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        let inner = &rest[start + 2..start + length];
        let (name, default) = inner
            .split_once(":-")
            .map_or((inner, None), |(n, d)| (n, Some(d)));
        let value = env
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
            .or(default);
        let value = value.ok_or_else(|| name.to_owned())?;
        used.insert(name.to_owned(), value.to_owned());
        out.push_str(&rest[..start]);
        out.push_str(value);
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(text: &str) -> bool {
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn whole_placeholder(text: &str) -> Option<&str> {
    text.strip_prefix('{')?
        .strip_suffix('}')
        .filter(|name| is_name(name))
}

fn look_up<'v>(name: &str, values: &'v BTreeMap<String, Node>) -> Result<&'v Node, Problem> {
    values.get(name).ok_or_else(|| {
        let known: Vec<&str> = values.keys().map(String::as_str).collect();
        let message = format!("nothing is called `{{{name}}}` here");
        let hint = format!(
            "{}; a brace itself is written `{{{{`",
            suggest(name, &known, "names")
        );
        Problem::new(crate::node::Pos::default(), "", message).hint(hint)
    })
}

fn replace_names(
    text: &str,
    values: &BTreeMap<String, Node>,
    used: &mut BTreeSet<String>,
) -> Result<String, Problem> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("{{") {
            out.push('{');
            rest = after
                .strip_prefix("}}")
                .inspect(|_| out.push('}'))
                .unwrap_or(after);
            continue;
        }
        let name = rest[1..]
            .split('}')
            .next()
            .filter(|n| is_name(n) && rest.len() > n.len() + 1);
        let Some(name) = name else {
            out.push('{');
            rest = &rest[1..];
            continue;
        };
        out.push_str(&spelled(name, values)?);
        used.insert(name.to_owned());
        rest = &rest[name.len() + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn spelled(name: &str, values: &BTreeMap<String, Node>) -> Result<String, Problem> {
    let node = look_up(name, values)?;
    node.scalar().ok_or_else(|| {
        let message = format!(
            "`{{{name}}}` is {} and cannot stand inside a text",
            node.describe()
        );
        Problem::new(crate::node::Pos::default(), "", message)
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

    #[test]
    fn whole_placeholders_keep_their_type_and_parts_become_text() {
        let mut node = parse("a: '{n}'\nb: 'x{n}y'\nc: '{{n}}'\nd: '{list}'", 0).unwrap();
        let mut used = BTreeSet::new();
        placeholders(&mut node, &values("n: 4\nlist: [1, 2]"), &mut used).unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Int(4));
        assert_eq!(node.get("b").unwrap().value, Value::Str("x4y".into()));
        assert_eq!(node.get("c").unwrap().value, Value::Str("{n}}".into()));
        assert!(matches!(node.get("d").unwrap().value, Value::Seq(_)));
        assert_eq!(used.len(), 2);
    }

    #[test]
    fn environment_reads_defaults_and_notes_them() {
        let mut node = parse("a: ${X}/${Y:-z}", 0).unwrap();
        let env = Environment::from([("X".into(), "x".into())]);
        let mut used = BTreeMap::new();
        environment(&mut node, &env, &mut used).unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Str("x/z".into()));
        assert_eq!(used["Y"], "z");
        let mut bad = parse("a: ${NOPE}", 0).unwrap();
        let problem = environment(&mut bad, &env, &mut used).unwrap_err();
        assert!(problem.message.contains("`NOPE`"), "{problem:?}");
        assert_eq!((problem.pos.line, problem.path.as_str()), (1, "a"));
    }
}
