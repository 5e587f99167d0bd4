//! No message speaks of the types that a file is read into: every field of every kind is given what it is not.
//! Unaware of what each message says; `errors` has that.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use spec::{Pipeline, Request};

/// Words of serde, of its YAML libraries and of Rust.
const FOREIGN: &[&str] = &[
    "::",
    "struct",
    "Option",
    "enum",
    "variant `",
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "f32",
    "f64",
    "usize",
    "tuple",
    "newtype",
    "serde",
    "from_str",
    "visitor",
    "deserial",
    "scalar",
    "sequence",
    "invalid type",
    "invalid value",
    "invalid length",
    "floating point",
    "integer `",
    "string \"",
    "character `",
    "null",
    "unit value",
    "borrowed",
];

/// What some field is not.
fn wrong() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(5_000_000_000_u64),
        json!(1e300),
        json!(""),
        json!("no such name"),
        json!([]),
        json!([[]]),
        json!([1, 2, 3, 4, 5, 6, 7]),
        json!({}),
        json!({"no such name": 1}),
        json!({"a": 1, "b": 2}),
    ]
}

fn said(file: &Value) -> Option<String> {
    let text = file.to_string();
    let request = Request {
        file: Path::new("p.yaml"),
        env: &BTreeMap::new(),
        overrides: &[],
        read: &|_| Ok(text.clone()),
    };
    Pipeline::load(&request).err().map(|e| {
        let messages = e.first.iter().map(|p| {
            let path = p.path.clone();
            format!("{}\n{}", p.message.replace(&path, ""), p.hint)
        });
        messages.collect::<Vec<_>>().join("\n")
    })
}

/// The paths of all fields below a part of the schema.
fn paths(schema: &Value, part: &Value, above: &[String], found: &mut Vec<Vec<String>>) {
    if above.len() > 5 {
        return;
    }
    if let Some(name) = part["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        paths(schema, &schema["$defs"][name], above, found);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        for one in part[list].as_array().into_iter().flatten() {
            paths(schema, one, above, found);
        }
    }
    for (name, field) in part["properties"].as_object().into_iter().flatten() {
        let mut path = above.to_vec();
        path.push(name.clone());
        found.push(path.clone());
        paths(schema, field, &path, found);
    }
}

fn at(path: &[String], value: &Value) -> Value {
    let around = |inner: Value, name: &String| json!({ name: inner });
    path.iter().rev().fold(value.clone(), around)
}

#[test]
fn no_message_speaks_of_types() {
    let schema = spec::schema();
    let mut all = Vec::new();
    paths(&schema, &schema["$defs"]["Stage"], &[], &mut all);
    all.sort();
    all.dedup();
    assert!(all.len() > 150, "{}", all.len());
    let mut asked = 0;
    for path in &all {
        for value in wrong() {
            let file = json!({"stages": {"s": at(path, &value)}});
            let Some(text) = said(&file) else { continue };
            asked += 1;
            let text = text.replace("tf32", "TF32"); // a format of numbers, not Rust's `f32`
            for word in FOREIGN {
                assert!(!text.contains(word), "`{word}` for {file}:\n{text}");
            }
        }
    }
    assert!(asked > 1500, "{asked}");
    for file in [
        json!([]),
        json!(1),
        json!({"vars": []}),
        json!({"include": {}}),
        json!({"stages": [1]}),
    ] {
        let text = said(&file).unwrap();
        for word in FOREIGN {
            assert!(!text.contains(word), "{text}");
        }
    }
}
