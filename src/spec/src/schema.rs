//! The YAML as a JSON Schema (draft 2020-12), from the same types that the parser reads, so that editors complete and
//! check it. Unaware of editors and files; a schema sees one file, so what another includes may be absent in it.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::kinds::{Kind, Resources};
use crate::renamed;

/// The schema of a pipeline file.
///
/// It follows the parser: unknown fields are refused everywhere, a placeholder may stand for any value, and no field of
/// a kind is required, because `each` or an included file may give it.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<Kind>();
    generator.subschema_for::<Resources>();
    let mut types = generator.take_definitions(true);
    let bare = types.clone();
    for schema in types.values_mut() {
        bare_names(schema, &bare);
        relax(schema, false);
        open(schema, &bare);
    }
    let kinds = kinds(&types.remove("Kind").unwrap_or_default());
    former_names(&mut types, &kinds);
    types.insert("Stage".into(), stage(&kinds));
    types.insert("Value".into(), placeholder());
    types.insert("Text".into(), text_with_placeholder());
    root(&types, &kinds)
}

/// The kinds with their schemas, from the enum's one-field mappings.
fn kinds(schema: &Value) -> Map<String, Value> {
    let mut kinds = Map::new();
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        for (name, fields) in variant["properties"].as_object().into_iter().flatten() {
            let mut fields = fields.clone();
            fields["description"] = variant["description"].clone();
            kinds.insert(name.clone(), fields);
        }
    }
    kinds
}

/// Fields by the names that they had: an editor strikes them through and says what they are called.
fn former_names(types: &mut Map<String, Value>, kinds: &Map<String, Value>) {
    for (kind, shape) in kinds {
        let reference = shape["$ref"]
            .as_str()
            .or_else(|| shape["anyOf"][0]["$ref"].as_str());
        let name = reference.map(|r| r.trim_start_matches("#/$defs/"));
        let Some(fields) = name.and_then(|name| types.get_mut(name)) else {
            continue;
        };
        for (old, new) in renamed::former(kind) {
            let about = format!("Called `{new}` now.");
            fields["properties"][old] = json!({"deprecated": true, "description": about});
        }
    }
}

fn root(types: &Map<String, Value>, kinds: &Map<String, Value>) -> Value {
    let names: Vec<&String> = kinds.keys().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pipeline file",
        "description": "Experiments on image restoration: stages, and what they read from each other.",
        "type": "object",
        "properties": {
            "include": {
                "description": "Files whose `vars` and `stages` come first; this file is laid over them. Relative to this file.",
                "type": "array",
                "items": {"type": "string"},
            },
            "vars": {
                "description": "Values to be named by `{name}` anywhere below; may read the environment by `${NAME}` or `${NAME:-default}`.",
                "type": ["object", "null"],
            },
            "stages": {
                "description": "The stages, by name. One reads another by naming it.",
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
                "additionalProperties": {"$ref": "#/$defs/Stage"},
            },
        },
        "additionalProperties": false,
        // A stage laid over an included one may leave its kind to that.
        "if": {"not": {"required": ["include"]}},
        "then": {"properties": {"stages": {"additionalProperties": {
            "anyOf": names.iter().map(|n| json!({"required": [n]})).collect::<Vec<_>>(),
        }}}},
        "$defs": types,
    })
}

fn stage(kinds: &Map<String, Value>) -> Value {
    // `kind: null` takes away what an included file says, so that another kind may stand in its place.
    let one = |name: &String| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}});
    let mut choice: Vec<Value> = kinds.keys().map(one).collect();
    choice.push(json!({"not": {"anyOf": choice.clone()}}));
    let mut properties = kinds.clone();
    properties.insert("each".into(), each());
    properties.insert(
        "resources".into(),
        json!({
            "description": "What the stage asks of the machine; changes no result.",
            "$ref": "#/$defs/Resources",
        }),
    );
    json!({
        "description": "A stage: one kind with its fields.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": choice,
    })
}

fn each() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    let values = json!({"anyOf": [
        {"type": "array", "items": scalar, "minItems": 1},
        {"$ref": "#/$defs/Value"},
    ]});
    let axes = json!({"type": "object", "additionalProperties": values});
    let some = json!({"type": "object", "additionalProperties": {"anyOf": [scalar, values]}});
    json!({
        "description": "Multiplies the stage: axes and their values. An axis is a field of the kind, or is used as `{axis}`.",
        "type": "object",
        "properties": {
            "zip": {
                "description": "Axes whose values are taken together, the first with the first and so on.",
                "anyOf": [axes, {"type": "array", "items": axes}],
            },
            "exclude": {
                "description": "Combinations that are left out: values of some axes.",
                "anyOf": [some, {"type": "array", "items": some}],
            },
        },
        "additionalProperties": values,
    })
}

fn placeholder() -> Value {
    json!({
        "description": "A value of `vars` or of `each`: `{name}`.",
        "type": "string",
        "pattern": "^\\{[A-Za-z_][A-Za-z0-9_-]*\\}$",
    })
}

fn text_with_placeholder() -> Value {
    json!({
        "description": "A name with a value of `vars` or `each` in it, `{name}`, or of the environment, `${NAME}`.",
        "type": "string",
        "pattern": "\\{[A-Za-z_][A-Za-z0-9_-]*\\}|\\$\\{[^}]+\\}",
    })
}

/// A variant whose fields all have defaults may be written as its name alone: `until: converged`.
fn bare_names(schema: &mut Value, types: &Map<String, Value>) {
    let Some(Value::Array(variants)) = schema.get_mut("oneOf") else {
        return;
    };
    let alone = |variant: &Value| {
        let (name, content) = variant["properties"].as_object()?.iter().next()?;
        let content = content["$ref"]
            .as_str()
            .and_then(|r| types.get(r.trim_start_matches("#/$defs/")))
            .unwrap_or(content);
        let free = content["type"] == "object" && content.get("required").is_none();
        free.then(|| json!({"const": name, "description": variant["description"]}))
    };
    let names: Vec<Value> = variants.iter().filter_map(alone).collect();
    variants.extend(names);
}

/// No field is required but the name of a variant, and a mapping may be left empty.
fn relax(schema: &mut Value, is_variant: bool) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if !is_variant && object.contains_key("properties") {
        object.remove("required");
    }
    if !is_variant && object.get("type").is_some_and(|t| t == "object") {
        object.insert("type".into(), json!(["object", "null"]));
    }
    for (keyword, below) in object.iter_mut() {
        match below {
            Value::Array(list) if keyword == "oneOf" => {
                for s in list {
                    relax(s, true);
                }
            }
            Value::Array(list) if keyword == "anyOf" => {
                for s in list {
                    relax(s, false);
                }
            }
            Value::Object(fields) if keyword == "properties" => {
                fields.values_mut().for_each(|s| relax(s, false));
            }
            Value::Object(_) if keyword == "items" => relax(below, false),
            _ => {}
        }
    }
}

/// Lets a placeholder stand at every field and item.
fn open(schema: &mut Value, types: &Map<String, Value>) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for (keyword, below) in object.iter_mut() {
        match below {
            Value::Array(list) if keyword == "oneOf" || keyword == "anyOf" => {
                for s in list {
                    open(s, types);
                }
            }
            Value::Object(fields) if keyword == "properties" => {
                fields.values_mut().for_each(|s| open_value(s, types));
            }
            Value::Object(_) if keyword == "items" => open_value(below, types),
            _ => {}
        }
    }
}

fn open_value(schema: &mut Value, types: &Map<String, Value>) {
    open(schema, types);
    if is_text(schema) {
        return;
    }
    // A list, a number or a mapping is the whole of `{name}`; a name may also have one inside.
    let name = if is_name(schema, types) {
        "Text"
    } else {
        "Value"
    };
    let place = json!({"$ref": format!("#/$defs/{name}")});
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.push(place);
        return;
    }
    let notes = ["description", "default"].map(|n| (n.to_owned(), object.remove(n)));
    let rest = Value::Object(std::mem::take(object));
    object.insert("anyOf".into(), json!([rest, place]));
    object.extend(notes.into_iter().filter_map(|(n, v)| Some((n, v?))));
}

/// Whether any text may stand there.
fn is_text(schema: &Value) -> bool {
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|t| t == "string"),
        one => one == "string",
    }
}

/// Whether one of several names is expected.
fn is_name(schema: &Value, types: &Map<String, Value>) -> bool {
    let reference = schema["$ref"].as_str();
    let reference = reference.or_else(|| schema["anyOf"][0]["$ref"].as_str());
    let named = reference.and_then(|r| types.get(r.trim_start_matches("#/$defs/")));
    named.is_some_and(|s| s.get("oneOf").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{STAGE_LEVEL, TOP_LEVEL, fields_of_kind};

    fn names(schema: &Value) -> Vec<&str> {
        let fields = schema["properties"].as_object().unwrap();
        fields.keys().map(String::as_str).collect()
    }

    fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn it_has_the_fields_that_the_parser_knows() {
        let schema = schema();
        assert_eq!(names(&schema), sorted(TOP_LEVEL.iter().copied()));
        let stage = &schema["$defs"]["Stage"];
        let known = Kind::NAMES.iter().chain(STAGE_LEVEL).copied();
        assert_eq!(names(stage), sorted(known));
        for kind in Kind::NAMES {
            let reference = stage["properties"][kind]["anyOf"][0]["$ref"].as_str();
            let name = reference.unwrap().trim_start_matches("#/$defs/");
            let mut fields = names(&schema["$defs"][name]);
            let former: Vec<&str> = renamed::former(kind).map(|(old, _)| old).collect();
            assert!(former.iter().all(|old| fields.contains(old)), "{kind}");
            fields.retain(|field| !former.contains(field));
            assert_eq!(fields, sorted(fields_of_kind(kind)), "{kind}");
        }
    }
}
