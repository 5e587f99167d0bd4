//! What a file may say and hardly means: secrets that are stored, and shells whose variables are read too early.
//! Unaware of who is told.

use std::collections::BTreeSet;

use crate::error::Problem;
use crate::kinds::Kind;
use crate::node::{Node, Pos, Value};
use crate::sensitive::is_sensitive;
use crate::substitute::variables_in;
use crate::typed::Typed;

/// What the texts of a file show before anything is replaced in them.
pub(crate) fn in_file(root: &Node) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let mut seen = BTreeSet::new();
    let secrets = secrets(root);
    for field in ["vars", "stages"] {
        let Some(node) = root.get(field) else {
            continue;
        };
        texts(node, field, &mut |text, path, pos| {
            for name in variables_in(text) {
                let is_secret = is_sensitive(name) || secrets.contains(name);
                if is_secret && seen.insert(name.to_owned()) {
                    warnings.push(stored(name, path, pos));
                }
            }
        });
    }
    for (key, body) in root
        .get("stages")
        .and_then(Node::entries)
        .unwrap_or_default()
    {
        if let Some(command) = body.get("command") {
            let path = format!("stages.{}.command", key.text);
            warnings.extend(assigned(command, &path));
        }
    }
    warnings
}

/// The names under `secrets:` of all commands: what is one to one of them is one wherever it stands.
fn secrets(root: &Node) -> BTreeSet<String> {
    let stages = root.get("stages").and_then(Node::entries);
    let lists = stages.unwrap_or_default().iter().filter_map(|(_, body)| {
        match &body.get("command")?.get("secrets")?.value {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    });
    lists.flatten().filter_map(Node::scalar).collect()
}

fn stored(name: &str, path: &str, pos: Pos) -> Problem {
    let message = format!(
        "the value of `${{{name}}}` is kept in clear text in records, journals and archives"
    );
    let hint = format!("`secrets: [{name}]` hands it to a command and stores nothing of it");
    Problem::new(pos, path, message).hint(hint)
}

/// Calls `look` with every text below `node`, its path and its position.
fn texts(node: &Node, path: &str, look: &mut dyn FnMut(&str, &str, Pos)) {
    match &node.value {
        Value::Str(text) => {
            if text.contains("${") {
                look(text, path, node.pos);
            }
        }
        Value::Seq(items) => {
            for (n, item) in items.iter().enumerate() {
                texts(item, &format!("{path}.{n}"), look);
            }
        }
        Value::Map(entries) => {
            for (key, item) in entries {
                texts(item, &format!("{path}.{}", key.text), look);
            }
        }
        Value::Null(_) | Value::Gone | Value::Plain(_) => {}
    }
}

/// `${USER}` in a script that gives `USER` a value itself: the environment's stands there before the script runs.
fn assigned(command: &Node, path: &str) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for field in ["shell", "run"] {
        let Some(node) = command.get(field) else {
            continue;
        };
        texts(node, &format!("{path}.{field}"), &mut |text, path, pos| {
            let names: BTreeSet<&str> = variables_in(text).into_iter().collect();
            for name in names.into_iter().filter(|name| assigns(text, name)) {
                let message = format!(
                    "`${{{name}}}` is read from the environment before the script runs, and the script sets `{name}` itself"
                );
                let hint = format!("write `$${{{name}}}` or `${name}` for the script's own");
                warnings.push(Problem::new(pos, path, message).hint(hint));
            }
        });
    }
    warnings
}

/// What typed stages show.
pub(crate) fn in_stage(typed: &Typed) -> Vec<Problem> {
    let Kind::Command(command) = &typed.stage.kind else {
        return Vec::new();
    };
    let passed = command.pass_env.iter().filter(|name| is_sensitive(name));
    let passed = passed.map(|name| {
        let message = format!(
            "a digest of `{name}` is kept in the key of this stage, and another value runs it again"
        );
        let hint = format!("`secrets: [{name}]` hands it on and stores nothing of it");
        typed.problem("pass_env", message).hint(hint)
    });
    let short = typed
        .stage
        .handed
        .secrets
        .iter()
        .filter_map(|(name, value)| {
            let short = value.as_ref().is_some_and(|v| v.chars().count() < 4);
            let message = format!(
                "the value of `{name}` is shorter than 4 characters and is not masked in logs"
            );
            short.then(|| typed.problem("secrets", message))
        });
    passed.chain(short).collect()
}

/// What the next word of a script is.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// A command, or assignments before one.
    Command,
    /// A name that `for` sets.
    Loop,
    /// Names, with or without values: `export`, `local`, `read`.
    Names,
    /// An option of `printf`, which may be `-v`.
    Option,
    /// Something that sets nothing.
    Other,
}

/// Whether a script gives `name` a value, by the look of its words.
fn assigns(script: &str, name: &str) -> bool {
    let mut next = Next::Command;
    for word in words(script) {
        next = match (next, word) {
            (_, Word::End) => Next::Command,
            (Next::Command, Word::Text(text)) => match text {
                "for" | "select" => Next::Loop,
                "export" | "local" | "declare" | "typeset" | "readonly" | "read" | "readarray"
                | "mapfile" | "let" | "unset" | "getopts" => Next::Names,
                "printf" => Next::Option,
                "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "!" | "{" | "time" => {
                    Next::Command
                }
                _ => match target(text) {
                    Some(set) if set == name => return true,
                    Some(_) => Next::Command,
                    None => Next::Other,
                },
            },
            (Next::Loop, Word::Text(text)) if text == name => return true,
            (Next::Names, Word::Text(text)) if target(text).unwrap_or(text) == name => return true,
            (Next::Names, _) => Next::Names,
            (Next::Option, Word::Text("-v")) => Next::Loop,
            (Next::Loop | Next::Option | Next::Other, _) => Next::Other,
        };
    }
    false
}

/// The variable that `NAME=…`, `NAME+=…` and `NAME[0]=…` set.
fn target(word: &str) -> Option<&str> {
    let (left, _) = word.split_once('=')?;
    let left = left.strip_suffix('+').unwrap_or(left);
    let name = left.split('[').next().unwrap_or(left);
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(good)).then_some(name)
}

#[derive(Clone, Copy)]
enum Word<'t> {
    Text(&'t str),
    /// The end of a command: `;`, `|`, `&`, a line, a bracket.
    End,
}

fn words(script: &str) -> impl Iterator<Item = Word<'_>> {
    let is_end = |c: char| matches!(c, ';' | '|' | '&' | '\n' | '(' | ')' | '`');
    script.split_inclusive(is_end).flat_map(move |command| {
        let (text, ended) = match command.strip_suffix(is_end) {
            Some(text) => (text, true),
            None => (command, false),
        };
        let words = text.split_whitespace().map(Word::Text);
        words.chain(ended.then_some(Word::End))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_set_a_variable_are_seen() {
        for script in [
            "for USER in a b; do echo ${USER}; done",
            "USER=x",
            "USER+=x; y",
            "cd a && USER=x make",
            "A=1 USER=x cmd",
            "if true; then USER=x; fi",
            "read -r USER",
            "while read A USER; do :; done",
            "f() { local USER; }",
            "export USER=x",
            "declare -x USER",
            "readonly A=1 USER=2",
            "printf -v USER '%s' x",
            "(USER=x)",
            "USER[1]=x",
            "a\nUSER=x\n",
            "select USER in a; do :; done",
            "getopts ab USER",
        ] {
            assert!(assigns(script, "USER"), "{script}");
        }
        for script in [
            "echo ${USER}",
            "make USER=${USER}",
            "env USER=${USER} cmd",
            "echo \"USER=${USER}\"",
            "USERS=x",
            "MY_USER=x",
            "cmd --USER=x",
            "printf '%s' USER",
            "for A in USER; do :; done",
        ] {
            assert!(!assigns(script, "USER"), "{script}");
        }
    }
}
