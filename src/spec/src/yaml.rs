//! The one place that reads YAML: text in, [`Node`] with positions out.
//! Unaware of what the text is for. The YAML library is named in this file alone, its parser in `quick`.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

use crate::node::{Key, Node, Pos, Value};
use crate::quick;

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
    match quick::read(text, source) {
        Some(root) => Ok(root),
        None => in_full(text, source),
    }
}

/// All of YAML, and what is wrong with a text that is not.
fn in_full(text: &str, source: usize) -> Result<Node, YamlError> {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn agree(text: &str) -> bool {
        let Some(quick) = quick::read(text, 3) else {
            return false;
        };
        assert_eq!(quick, in_full(text, 3).unwrap(), "{text}");
        true
    }

    #[test]
    fn both_readers_read_the_shipped_files_alike() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path());
        let files: Vec<_> = files
            .filter(|f| f.extension().is_some_and(|e| e == "yaml"))
            .collect();
        assert!(files.len() > 2);
        for file in files {
            agree(&std::fs::read_to_string(&file).unwrap());
        }
    }

    #[test]
    fn the_quick_reader_knows_what_people_write() {
        let text = "# comment\na: {b: [1, -2, 0.5, x y, 'q: #', \"\\t\", true, ~, null], c: }\nd:\n  - e: é ü\n    f: |\n      two\n      lines\n  - >-\n    one\n    line\n'quoted key': {seed: 0}\n";
        assert!(agree(text));
    }

    #[test]
    fn every_scalar_means_the_same_to_both_or_is_left_to_the_full_reader() {
        let words = [
            "1e-4",
            "1e5",
            "1.",
            ".5",
            "+1",
            "-0",
            "-0.0",
            "00",
            "007",
            "0x1f",
            "0o17",
            "0b1",
            "1_000",
            "12:30",
            "1.5e3",
            "99999999999999999999",
            "-9223372036854775808",
            "True",
            "TRUE",
            "yes",
            "No",
            "on",
            "Null",
            "NULL",
            "NaN",
            ".nan",
            ".inf",
            "-.inf",
            "inf",
            "-inf",
            "<<",
            "=",
            "x4",
            "4x",
            "a-b",
            "-",
            "-x",
            "--",
            "a:b",
            "a#b",
            "${VAR}/x",
            "*",
            "?x",
            "photos/a.png",
            "art-x4",
            "masks[coarse]",
            "0.10",
            "10.0",
            "1.0",
            "2026-11-24",
            "~x",
            "/abs",
            "(x)",
            "1,5",
        ];
        let mut quick = 0;
        for word in words {
            for text in [
                format!("a: {word}\n"),
                format!("- {word}\n"),
                format!("{word}: 1\n"),
            ] {
                if in_full(&text, 0).is_ok() {
                    quick += usize::from(agree(&text));
                }
            }
        }
        assert!(quick > 40, "{quick}");
    }

    #[test]
    fn what_is_not_common_is_left_to_the_full_reader() {
        for text in [
            "a: &x 1\nb: *x\n",
            "a: !!str 1\n",
            "a: 1\na: 2\n",
            "a: 1\n---\nb: 2\n",
            "a: [1\n",
            "",
            "a: {<<: {b: 1}}\n",
            "? [a]\n: b\n",
        ] {
            assert!(quick::read(text, 0).is_none(), "{text}");
        }
    }
}
