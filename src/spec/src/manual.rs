//! The reference of pipeline files as Markdown, from the schema: each kind with its fields, defaults and units.
//! Unaware of the types themselves: what is not in the schema is not in the reference.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::kinds::Kind;
use crate::schema::schema;

/// What stands for a value or a name that is put in from elsewhere; said once, at the top.
const PLACEHOLDERS: [&str; 2] = ["Value", "Text"];

const HEAD: &str = "\
# Every field of a pipeline file

Made by `pipeline schema --reference -o docs/reference.md` from the types that the parser reads; a test checks that it is
current. [README](../README.md) has a file line by line, [keys](keys.md) says what is in a key, [sweeps](sweeps.md) what
`each:` does, the [glossary](glossary.md) what words mean.

A file has `include:` (files whose `vars` and `stages` come first; this one is laid over them), `vars:` (values that are
named by `{name}`) and `stages:`. A stage is a name (letters, digits, `_`, `-`) with one kind, and optionally `each:` and
`resources:`. A value of `vars` or `each`, `{name}`, or of the environment, `${NAME}`, may stand for any field or a part
of a text. A field without a default is needed, or its description says what holds when it is absent.

";

/// The text of docs/reference.md.
pub fn reference() -> String {
    let schema = schema();
    let empty = Map::new();
    let types = schema["$defs"].as_object().unwrap_or(&empty);
    let stage = &types.get("Stage").unwrap_or(&Value::Null)["properties"];
    let kinds: Vec<&str> = Kind::NAMES.to_vec();
    let mut out = HEAD.to_owned();
    let names = kinds.iter().chain(&["resources"]);
    let links: Vec<String> = names.map(|name| format!("[`{name}`](#{name})")).collect();
    out += &format!("Kinds and what stands beside them: {}.\n", links.join(", "));
    let mut wanted = BTreeSet::new();
    for kind in &kinds {
        let about = text_of(&stage[*kind]);
        out += &section(kind, &about, fields_of(types, &stage[*kind]), &mut wanted);
    }
    let resources = types.get("Resources").unwrap_or(&Value::Null);
    out += &section("resources", &text_of(resources), resources, &mut wanted);
    out += "\n## Values that fields take\n";
    // A value may take another one; all that are reached are told, by name.
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut parts: Vec<(String, String)> = Vec::new();
    while let Some(name) = wanted.pop_first() {
        if told.insert(name.clone()) {
            let shape = types.get(&name).unwrap_or(&Value::Null);
            parts.push((name.clone(), value(&name, shape, &mut wanted)));
            wanted.retain(|next| !told.contains(next));
        }
    }
    parts.sort();
    out.extend(parts.into_iter().map(|(_, text)| text));
    out
}

/// The schema of a kind's fields, where a link leads to it.
fn fields_of<'s>(types: &'s Map<String, Value>, field: &'s Value) -> &'s Value {
    let links = references(field);
    let linked = links.iter().find_map(|name| types.get(name));
    linked
        .filter(|it| it["properties"].is_object())
        .unwrap_or(field)
}

fn section(name: &str, about: &str, shape: &Value, wanted: &mut BTreeSet<String>) -> String {
    format!("\n## {name}\n\n{about}\n\n{}", table(shape, wanted))
}

/// One value type: its fields, or the forms that it may have.
fn value(name: &str, shape: &Value, wanted: &mut BTreeSet<String>) -> String {
    let mut out = format!("\n### {name}\n\n{}\n\n", text_of(shape));
    if shape["properties"].is_object() {
        return out + &table(shape, wanted);
    }
    for form in forms(shape) {
        let about = text_of(form);
        let about = if about.is_empty() {
            about
        } else {
            format!(": {about}")
        };
        match form["properties"].as_object() {
            Some(fields) if fields.len() == 1 => {
                for (field, inner) in fields {
                    let takes = takes(inner, wanted);
                    let inside = inner["properties"].is_object();
                    out += &format!(
                        "- `{{{field}: …}}`, {}{about}\n",
                        if inside { "a mapping" } else { &takes }
                    );
                    if inside {
                        out += &indented(&table(inner, wanted));
                    }
                }
            }
            Some(_) => out += &format!("- a mapping{about}\n{}", indented(&table(form, wanted))),
            None => {
                let takes = takes(form, wanted);
                if !takes.is_empty() {
                    out += &format!("- {takes}{about}\n");
                }
            }
        }
    }
    out
}

fn indented(table: &str) -> String {
    let lines = table.lines().map(|line| format!("  {line}\n"));
    format!("\n{}\n", lines.collect::<Vec<_>>().concat())
}

fn table(shape: &Value, wanted: &mut BTreeSet<String>) -> String {
    let mut out = "| field | takes | default | |\n|---|---|---|---|\n".to_owned();
    let fields = shape["properties"].as_object().into_iter().flatten();
    for (name, field) in fields.filter(|(_, field)| field["deprecated"] != true) {
        let cells = [
            format!("`{name}`"),
            takes(field, wanted),
            default(field),
            text_of(field),
        ];
        out += &format!("| {} |\n", cells.map(|c| c.replace('|', "\\|")).join(" | "));
    }
    out
}

/// What a field takes, in words.
fn takes(field: &Value, wanted: &mut BTreeSet<String>) -> String {
    let mut words: Vec<String> = Vec::new();
    each_form(field, &mut |form| {
        for word in words_of(form, wanted) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    });
    words.join(" or ")
}

fn words_of(form: &Value, wanted: &mut BTreeSet<String>) -> Vec<String> {
    if let Some(name) = form["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        if PLACEHOLDERS.contains(&name) {
            return Vec::new();
        }
        wanted.insert(name.to_owned());
        return vec![format!("[{name}](#{})", name.to_lowercase())];
    }
    if let Some(only) = form.get("const").and_then(Value::as_str) {
        return vec![format!("`{only}`")];
    }
    if let Some(names) = form["enum"].as_array() {
        let names = names.iter().filter_map(Value::as_str);
        return names.map(|name| format!("`{name}`")).collect();
    }
    let types = match &form["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let word = |kind: &str, wanted: &mut BTreeSet<String>| match kind {
        "integer" if form["minimum"].is_number() => Some("whole number, not below 0".to_owned()),
        "integer" => Some("whole number".to_owned()),
        "number" => Some("number".to_owned()),
        "string" => Some("text".to_owned()),
        "boolean" => Some("`true` or `false`".to_owned()),
        "array" => {
            let items = takes(&form["items"], wanted);
            let count = form["minItems"]
                .as_u64()
                .filter(|n| form["maxItems"].as_u64() == Some(*n));
            let count = count.map_or(String::new(), |n| format!("{n} × "));
            Some(format!(
                "list of {count}{}",
                if items.is_empty() { "values" } else { &items }
            ))
        }
        "object" => Some(match takes(&form["additionalProperties"], wanted) {
            inner if inner.is_empty() => "mapping".to_owned(),
            inner => format!("mapping of names to {inner}"),
        }),
        _ => None,
    };
    types
        .into_iter()
        .filter_map(|kind| word(kind, wanted))
        .collect()
}

fn forms(shape: &Value) -> Vec<&Value> {
    let lists = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|list| shape[list].as_array());
    let forms: Vec<&Value> = lists.flatten().collect();
    if forms.is_empty() { vec![shape] } else { forms }
}

fn each_form<'s>(field: &'s Value, found: &mut dyn FnMut(&'s Value)) {
    let lists = ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|list| field[list].as_array());
    let mut inner = lists.flatten().peekable();
    if inner.peek().is_none() {
        return found(field);
    }
    for form in inner {
        each_form(form, found);
    }
}

/// The types that a schema links to.
fn references(field: &Value) -> Vec<String> {
    let mut names = Vec::new();
    each_form(field, &mut |form| {
        let name = form["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        names.extend(
            name.filter(|n| !PLACEHOLDERS.contains(n))
                .map(str::to_owned),
        );
    });
    names
}

fn default(field: &Value) -> String {
    match field.get("default") {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "nothing".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
        Some(Value::Object(map)) if map.is_empty() => "none".to_owned(),
        Some(Value::Object(map)) if map.len() == 1 && map.values().all(has_nothing) => {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            format!("`{}`", names.concat())
        }
        Some(other) => format!(
            "`{}`",
            other
                .to_string()
                .replace("\":", "\": ")
                .replace(',', ", ")
                .replace('"', "")
        ),
    }
}

/// A choice whose own fields are all absent is written by its name.
fn has_nothing(value: &Value) -> bool {
    let map = value.as_object();
    map.is_some_and(|map| map.values().all(Value::is_null))
}

/// The description in one line, without links into the code.
fn text_of(shape: &Value) -> String {
    let text = shape["description"].as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("[`") {
        let (name, after) = behind.split_once("`]").unwrap_or((behind, ""));
        let name = name.rsplit("::").next().unwrap_or(name);
        out += &format!("{before}`{name}`");
        rest = after;
    }
    out + rest
}
