//! The reader against another one, value by value and position by position, and what it says of what is not YAML.
//! Unaware of pipelines, but for the shipped files.

use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

use super::*;

/// What serde-saphyr makes of the text.
fn other(text: &str) -> Option<Node> {
    let options = serde_yaml::options! { strict_booleans: true };
    let root = serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options);
    root.ok().map(node)
}

#[track_caller]
fn agree(text: &str) {
    match (parse(text, 3), other(text)) {
        (Ok(ours), Some(other)) => assert_eq!(meant(ours), other, "{text}"),
        (Err(_), None) => {}
        (ours, other) => panic!("{text}\nours: {ours:?}\nother: {other:?}"),
    }
}

#[test]
fn both_readers_read_the_shipped_files_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|e| e.unwrap().path());
    let files: Vec<_> = files
        .filter(|f| f.extension().is_some_and(|e| e == "yaml"))
        .collect();
    assert!(files.len() > 2);
    for file in files {
        agree(&std::fs::read_to_string(&file).unwrap());
    }
}

#[test]
fn both_readers_read_what_people_write_alike() {
    for text in [
        "# comment\na: {b: [1, -2, 0.5, x y, 'q: #', \"\\t\", true, ~, null], c: }\nd:\n  - e: é ü\n    f: |\n      two\n      lines\n  - >-\n    one\n    line\n'quoted key': {seed: 0}\n",
        "",
        "---\na: 1\n",
        "a: 1\n...\n",
        "a: !!str 1\nb: !!int 1\nc: !!float 1\nd: !!null x\ne: ! 1\n",
        "'<<': 1\n",
        "? a\n: b\n",
        "!!map {a: !!seq [1]}\n",
    ] {
        agree(text);
    }
}

#[test]
fn both_readers_merge_alike() {
    for text in [
        "a: {<<: {b: 1}}\n",
        "a: {c: 1, <<: {b: 1, c: 2}, d: 3}\n",
        "a: {c: 1, <<: [{b: 1, c: 2}, {b: 3, e: 4}], d: 3}\n",
        "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n",
    ] {
        // A merged entry stands where it is written to us, and where `<<` is to the other.
        let values = |node: Node| format!("{:?}", without_places(meant(node)));
        assert_eq!(
            values(parse(text, 3).unwrap()),
            values(other(text).unwrap()),
            "{text}"
        );
    }
}

/// Each scalar in one spelling: the other reader keeps none of what was written.
fn meant(mut node: Node) -> Node {
    node.value = match node.value {
        Value::Null(_) => Value::Null(""),
        Value::Plain(text) => match meaning(&text) {
            Meaning::Whole(number) => Value::Plain(number.to_string()),
            Meaning::Fraction(number) => Value::Plain(number.to_string()),
            Meaning::Bool(truth) => Value::Plain(truth.to_string()),
            Meaning::Null | Meaning::Text => Value::Str(text),
        },
        Value::Seq(items) => Value::Seq(items.into_iter().map(meant).collect()),
        Value::Map(entries) => {
            let entry = |(key, node)| (key, meant(node));
            Value::Map(entries.into_iter().map(entry).collect())
        }
        value => value,
    };
    node
}

fn without_places(mut node: Node) -> Node {
    node.pos = Pos::default();
    node.value = match node.value {
        Value::Seq(items) => Value::Seq(items.into_iter().map(without_places).collect()),
        Value::Map(entries) => {
            let entry = |(mut key, node): (Key, Node)| {
                key.pos = Pos::default();
                (key, without_places(node))
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
        value => value,
    };
    node
}

#[test]
fn both_readers_refuse_the_same_texts() {
    for text in [
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 2\n",
        "a: [1\n",
        "? [a]\n: b\n",
        "a: *x\n",
        "a: &x [*x]\n",
        "a: {<<: 1}\n",
        "a: !!int x\n",
        "a:\n\tb: 1\n",
        "a: 'x\n",
        "~: 1\n",
    ] {
        agree(text);
        assert!(parse(text, 0).is_err(), "{text}");
    }
}

#[test]
fn every_scalar_means_the_same_to_both() {
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
        "-9223372036854775808",
        "True",
        "TRUE",
        "yes",
        "No",
        "on",
        "Null",
        "NULL",
        "NaN",
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
    for word in words {
        for text in [
            format!("a: {word}\n"),
            format!("- {word}\n"),
            format!("{word}: 1\n"),
        ] {
            agree(&text);
        }
    }
}

#[test]
fn an_alias_is_a_copy_that_stands_where_it_is_named() {
    let root = parse("a: &x [1, {b: &y 2}]\nc: *x\n*y : 1\n", 0);
    assert!(root.unwrap_err().message.contains("expected a name"));
    let root = parse("a: &x [1, {b: 2}]\nc: *x\n&k d: 1\n", 0).unwrap();
    let (a, c) = (root.get("a").unwrap(), root.get("c").unwrap());
    assert_eq!((c.pos.line, c.pos.column), (2, 4));
    assert_eq!(a.value, c.value);
}

#[test]
fn what_multiplies_itself_is_counted_before_it_is_built() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let alias = format!("*a{}", n - 1);
        let all = vec![alias; 9].join(", ");
        bomb += &format!("a{n}: &a{n} [{all}]\n");
    }
    let error = parse(&bomb, 0).unwrap_err();
    assert_eq!(error.message, "the files hold more than 10 000 000 values");
    assert!(error.hint.contains("PIPELINE_LIMITS=values=40000000"));
}

#[test]
fn depth_has_an_end_whatever_it_is_made_of() {
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for n in 1..1000 {
        chain += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
    }
    let block: String = (0..1000).map(|n| " ".repeat(n) + "a:\n").collect();
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000) + "x",
        block,
        chain,
    ] {
        let message = parse(&text, 0).unwrap_err().message;
        assert_eq!(
            message,
            "lists and mappings stand in each other more than 200 deep"
        );
    }
    parse(&"? ".repeat(100_000), 0).unwrap_err();
    parse(&"[{".repeat(100_000), 0).unwrap_err();
    parse(&format!("{}{}", "[".repeat(199), "]".repeat(199)), 0).unwrap();
}

#[test]
fn nothing_of_the_parser_is_said() {
    for (text, message) in [
        (
            "a: 1\n---\nb: 2\n",
            "a second document begins here, and a file is one",
        ),
        ("a: [1\n", "`[` is never closed"),
        ("a: {b: 1]\n", "`{` is closed by `]`"),
        ("a: {b: 1 c: 2}\n", "expected `,` or `}`"),
        ("a:\n\tb: 1\n", "a tab cannot indent a line"),
        ("a: 'x\n", "the quotes are never closed"),
        ("a: *x\n", "there is no anchor of this name above"),
        ("a: b: c\n", "`:` cannot stand here"),
        ("~: 1\n", "expected a name before `:`, found nothing"),
        ("a: !foo 1\n", "the tag `!foo` means nothing here"),
        ("a: @x\n", "the character `@` cannot stand here"),
    ] {
        assert_eq!(parse(text, 0).unwrap_err().message, message, "{text}");
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

fn at(location: Location) -> Pos {
    Pos {
        source: 3,
        line: location.line() as usize,
        column: location.column() as usize,
    }
}

fn node(spanned: Spanned<Raw>) -> Node {
    let pos = at(spanned.referenced);
    let value = match spanned.value {
        Raw::Null => Value::Null(""),
        Raw::Bool(b) => Value::Plain(b.to_string()),
        Raw::Int(i) => Value::Plain(i.to_string()),
        Raw::Float(x) => Value::Plain(x.to_string()),
        Raw::Str(s) => Value::Str(s),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(node).collect()),
        Raw::Map(entries) => Value::Map(entries.into_iter().map(entry).collect()),
    };
    Node { value, pos }
}

fn entry((key, value): (Spanned<String>, Spanned<Raw>)) -> (Key, Node) {
    let pos = at(key.referenced);
    let text = key.value;
    (Key { text, pos }, node(value))
}
