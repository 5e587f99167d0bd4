//! The one place that reads YAML: text in, [`Node`] with positions out.
//! Unaware of what the text is for. The YAML library is named in this file alone, its parser in `quick`.

use std::collections::BTreeMap;

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
    let options = serde_yaml::options! {
        strict_booleans: true,
        // A field that is a number refuses them; a word of a command line may be spelled so.
        non_finite_float_policy: serde_yaml::options::NonFiniteFloatPolicy::AsString,
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => {
            let texts = quick::plain_texts(text);
            Ok(Reader { texts, source }.node(root))
        }
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
    /// In the spelling of this language, where its own is not found.
    Number(String),
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
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
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

/// Puts texts and positions to what the library has read.
struct Reader {
    texts: BTreeMap<(usize, usize), String>,
    source: usize,
}

impl Reader {
    fn node(&self, spanned: Spanned<Raw>) -> Node {
        let at = pos(spanned.referenced, self.source);
        // An alias stands elsewhere than the text that it repeats.
        let defined = pos(spanned.defined, self.source);
        let written = self.texts.get(&(defined.line, defined.column));
        let written = written.map(|text| quick::plain(text.clone()));
        let value = match (spanned.value, written) {
            (Raw::Null, Some(Value::Null(text))) => Value::Null(text),
            (Raw::Null, _) => Value::Null(""),
            (Raw::Bool(_) | Raw::Number(_), Some(Value::Plain(text))) => Value::Plain(text),
            (Raw::Bool(b), _) => Value::Plain(b.to_string()),
            (Raw::Number(number), _) => Value::Plain(number),
            (Raw::Str(s), Some(Value::Plain(text))) if s == text => Value::Plain(text),
            (Raw::Str(s), _) => Value::Str(s),
            (Raw::Seq(items), _) => Value::Seq(items.into_iter().map(|n| self.node(n)).collect()),
            (Raw::Map(entries), _) => {
                Value::Map(entries.into_iter().map(|e| self.entry(e)).collect())
            }
        };
        Node { value, pos: at }
    }

    fn entry(&self, (key, value): (Spanned<String>, Spanned<Raw>)) -> (Key, Node) {
        let pos = pos(key.referenced, self.source);
        let key = Key {
            text: key.value,
            pos,
        };
        (key, self.node(value))
    }
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
