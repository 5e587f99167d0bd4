//! The one place that reads YAML: text in, [`Node`] with positions out.
//! Unaware of what the text is for. The YAML library is named in this file alone.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

use crate::node::{Key, Node, Pos, Value};

/// Why a text is not YAML that a pipeline can be made of.
#[derive(Debug)]
pub struct YamlError {
    /// Where, when known.
    pub pos: Pos,
    /// What is wrong.
    pub message: String,
}

/// Reads one YAML document. Duplicate keys, several documents and unknown anchors are errors.
pub fn parse(text: &str, source: usize) -> Result<Node, YamlError> {
    // As YAML 1.2 has it: `y`, `no` and `on` are names, not truth values.
    let options = serde_yaml::options! { strict_booleans: true };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => Ok(node(root, source)),
        Err(error) => Err(YamlError {
            pos: error
                .location()
                .map_or_else(Pos::default, |l| pos(l, source)),
            message: message(&error),
        }),
    }
}

/// The library's message without its own position and snippet; ours are printed around it.
fn message(error: &serde_yaml::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    match text.strip_prefix("duplicate mapping key: ") {
        Some(rest) => format!(
            "`{}` stands twice here",
            rest.split(',').next().unwrap_or(rest)
        ),
        None => text.to_owned(),
    }
}

enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Str(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn pos(location: Location, source: usize) -> Pos {
    Pos {
        source,
        line: location.line() as usize,
        column: location.column() as usize,
    }
}

fn node(spanned: Spanned<Raw>, source: usize) -> Node {
    let at = pos(spanned.referenced, source);
    let value = match spanned.value {
        Raw::Null => Value::Null,
        Raw::Bool(b) => Value::Bool(b),
        Raw::Int(i) => Value::Int(i),
        Raw::Float(x) => Value::Float(x),
        Raw::Str(s) => Value::Str(s),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(|n| node(n, source)).collect()),
        Raw::Map(entries) => Value::Map(entries.into_iter().map(|e| entry(e, source)).collect()),
    };
    Node { value, pos: at }
}

fn entry((key, value): (Spanned<String>, Spanned<Raw>), source: usize) -> (Key, Node) {
    (
        Key {
            text: key.value,
            pos: pos(key.referenced, source),
        },
        node(value, source),
    )
}
