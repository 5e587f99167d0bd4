//! The one place that reads YAML: text in, [`Node`] with positions out.
//! Unaware of what the text is for. The parser's events are turned into values here; what a scalar means is in `scalar`, what
//! is wrong with a text in `words`.
//!
//! ```text
//!   text ── parser ── events ──> Reader: a stack of open lists and mappings ──> Node
//!                                   |            |
//!                               Meter: values    anchors: finished values, copied where an alias names them
//! ```
//!
//! Nothing here recurses. Every value is counted before it is built, one behind an alias each time it is named, so a short
//! text cannot ask for a large value; and nothing stands deeper than [`Limits::DEPTH`], with aliases followed, so that
//! walks over the result may recurse.

mod words;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use words::too_deep;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StrInput, Tag};

use crate::error::Problem;
use crate::limits::{Exceeded, Limits, Meter, What};
use crate::node::{Key, Node, Pos, Value};
use crate::scalar::{Meaning, meaning, null};

/// Reads one short YAML document, such as a value on the command line. Duplicate keys, several documents and unknown anchors are errors.
pub(crate) fn parse(text: &str, source: usize) -> Result<Node, Problem> {
    read(text, source, &Meter::default())
}

/// The same within what `meter` has left.
pub(crate) fn read(text: &str, source: usize, meter: &Meter) -> Result<Node, Problem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = Limits::DEPTH;
    options.block_nesting_limit = Limits::DEPTH;
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader {
        parser,
        text,
        source,
        meter,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        root: None,
    };
    while reader.step()? {}
    let nothing = Node {
        value: Value::Null(""),
        pos: reader.pos(1, 1),
    };
    Ok(reader.root.unwrap_or(nothing))
}

/// Spaces before a line.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A value that is finished, with what an alias of it costs.
#[derive(Clone)]
struct Whole {
    node: Node,
    /// Values in it, itself counted.
    values: u64,
    /// How deep lists and mappings stand in it; 0 for a scalar.
    depth: usize,
}

/// A list or mapping whose end is still to come.
struct Open {
    pos: Pos,
    anchor: usize,
    values: u64,
    depth: usize,
    parts: Parts,
}

enum Parts {
    Seq(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        /// A key whose value is still to come.
        key: Option<Waiting>,
        /// What `<<` names, in order.
        merged: Vec<Node>,
        /// The keys so far, from the moment that there are many.
        keys: BTreeSet<String>,
    },
}

enum Waiting {
    Key(Key),
    Merge,
}

/// Up to so many keys of a mapping are compared one by one.
const FEW: usize = 16;

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    source: usize,
    meter: &'t Meter,
    open: Vec<Open>,
    /// Finished values by the parser's number of their anchor.
    anchors: BTreeMap<usize, Whole>,
    root: Option<Node>,
}

impl<'t> Reader<'t> {
    /// Takes one event; false at the end of the text.
    fn step(&mut self) -> Result<bool, Problem> {
        let Some(event) = self.parser.next_event() else {
            return Ok(false);
        };
        let (event, span) = event.map_err(|e| self.scan_error(&e))?;
        let pos = self.pos(span.start.line(), span.start.col() + 1);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag, pos)?;
            }
            Event::Alias(anchor) => self.alias(anchor, pos)?,
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Parts::Seq(Vec::new()), "seq", anchor, tag, pos)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let parts = Parts::Map {
                    entries: Vec::new(),
                    key: None,
                    merged: Vec::new(),
                    keys: BTreeSet::new(),
                };
                self.begin(parts, "map", anchor, tag, pos)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "a second document begins here, and a file is one";
                return Err(wrong(
                    pos,
                    message,
                    "remove `---`, or make it a file of its own",
                ));
            }
            _ => {}
        }
        Ok(true)
    }

    fn pos(&self, line: usize, column: usize) -> Pos {
        Pos {
            source: self.source,
            line,
            column,
        }
    }

    fn scan_error(&self, error: &ScanError) -> Problem {
        let at = error.marker();
        if let Some((message, hint)) = words::below_a_value(self.text, at.line(), error.kind()) {
            let line = self.text.lines().nth(at.line() - 1).unwrap_or_default();
            return wrong(self.pos(at.line(), indent(line) + 1), message, hint);
        }
        let (message, hint) = words::explain(error.kind());
        wrong(self.pos(at.line(), at.col() + 1), message, hint)
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'t, Tag>>,
        pos: Pos,
    ) -> Result<(), Problem> {
        if self.wants_key() {
            let merges = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
            if let Some(tag) = tag.filter(|t| t.core_suffix() != Some("str")) {
                return Err(unknown_tag(&tag, pos));
            }
            if anchor > 0 {
                let node = scalar(text.clone(), style, None, pos)?;
                self.keep(anchor, Whole::scalar(node));
            }
            return self.key(text, style, merges, pos);
        }
        let node = scalar(text, style, tag, pos)?;
        self.count(1, pos)?;
        self.finish(Whole::scalar(node), anchor)
    }

    /// A copy of what the anchor is on, as if it stood here.
    fn alias(&mut self, anchor: usize, pos: Pos) -> Result<(), Problem> {
        let Some(whole) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value that it names";
            return Err(wrong(pos, message, "a value cannot hold itself"));
        };
        let (values, depth) = (whole.values, whole.depth);
        if self.wants_key() {
            let text = whole.node.scalar().unwrap_or_default();
            return match &whole.node.value {
                Value::Str(_) => self.key(text.into(), ScalarStyle::DoubleQuoted, false, pos),
                _ => Err(not_a_key(&whole.node.describe(), pos)),
            };
        }
        self.count(values, pos)?;
        if self.open.len() + depth > Limits::DEPTH {
            return Err(wrong(pos, too_deep(), ""));
        }
        let mut whole = self.anchors[&anchor].clone();
        whole.node.pos = pos;
        self.finish(whole, 0)
    }

    fn begin(
        &mut self,
        parts: Parts,
        kind: &str,
        anchor: usize,
        tag: Option<Cow<'t, Tag>>,
        pos: Pos,
    ) -> Result<(), Problem> {
        if let Some(tag) = tag.filter(|t| t.core_suffix() != Some(kind)) {
            return Err(unknown_tag(&tag, pos));
        }
        if self.wants_key() {
            let found = if kind == "seq" { "a list" } else { "a mapping" };
            return Err(not_a_key(found, pos));
        }
        if self.open.len() >= Limits::DEPTH {
            return Err(wrong(pos, too_deep(), ""));
        }
        self.count(1, pos)?;
        self.open.push(Open {
            pos,
            anchor,
            values: 1,
            depth: 0,
            parts,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.parts {
            Parts::Seq(items) => Value::Seq(items),
            Parts::Map {
                mut entries,
                merged,
                ..
            } => {
                for node in merged {
                    merge(&mut entries, node)?;
                }
                Value::Map(entries)
            }
        };
        let whole = Whole {
            node: Node {
                value,
                pos: open.pos,
            },
            values: open.values,
            depth: open.depth + 1,
        };
        self.finish(whole, open.anchor)
    }

    /// Whether the next thing is a key.
    fn wants_key(&self) -> bool {
        let parts = self.open.last().map(|o| &o.parts);
        matches!(parts, Some(Parts::Map { key: None, .. }))
    }

    fn key(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        merges: bool,
        pos: Pos,
    ) -> Result<(), Problem> {
        let nothing = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        if style == ScalarStyle::Plain && nothing {
            return Err(not_a_key("nothing", pos));
        }
        let Some(Parts::Map {
            entries, key, keys, ..
        }) = self.open.last_mut().map(|o| &mut o.parts)
        else {
            return Ok(());
        };
        if merges {
            *key = Some(Waiting::Merge);
            return Ok(());
        }
        if entries.len() == FEW {
            *keys = entries.iter().map(|(key, _)| key.text.clone()).collect();
        }
        let twice = if entries.len() < FEW {
            entries.iter().any(|(key, _)| key.text == text)
        } else {
            !keys.insert(text.to_string())
        };
        if twice {
            let message = format!("`{text}` stands twice here");
            return Err(wrong(pos, message, ""));
        }
        let text = text.into_owned();
        *key = Some(Waiting::Key(Key { text, pos }));
        Ok(())
    }

    fn count(&self, values: u64, pos: Pos) -> Result<(), Problem> {
        let take = self.meter.take(What::Values, values);
        take.map_err(|e: Exceeded| wrong(pos, e.message(), e.hint()))
    }

    fn keep(&mut self, anchor: usize, whole: Whole) {
        if anchor > 0 {
            self.anchors.insert(anchor, whole);
        }
    }

    /// Puts a value where it belongs.
    fn finish(&mut self, whole: Whole, anchor: usize) -> Result<(), Problem> {
        if anchor > 0 {
            self.count(whole.values, whole.node.pos)?;
            self.keep(anchor, whole.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(whole.node);
            return Ok(());
        };
        open.values += whole.values;
        open.depth = open.depth.max(whole.depth);
        match &mut open.parts {
            Parts::Seq(items) => items.push(whole.node),
            Parts::Map {
                entries,
                key,
                merged,
                ..
            } => match key.take() {
                Some(Waiting::Key(key)) => entries.push((key, whole.node)),
                Some(Waiting::Merge) | None => merged.push(whole.node),
            },
        }
        Ok(())
    }
}

impl Whole {
    fn scalar(node: Node) -> Self {
        Self {
            node,
            values: 1,
            depth: 0,
        }
    }
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<Cow<'_, Tag>>,
    pos: Pos,
) -> Result<Node, Problem> {
    let value = match tag {
        None if style == ScalarStyle::Plain => plain(text.into_owned()),
        None => Value::Str(text.into_owned()),
        Some(tag) => tagged(&tag, &text, pos)?,
    };
    Ok(Node { value, pos })
}

/// A scalar without quotes, as it is written: only what could be something else than a text is kept apart.
fn plain(text: String) -> Value {
    match meaning(&text) {
        Meaning::Text => Value::Str(text),
        Meaning::Null => Value::Null(null(&text).unwrap_or_default()),
        Meaning::Bool(_) | Meaning::Whole(_) | Meaning::Fraction(_) => Value::Plain(text),
    }
}

/// A scalar that says itself what it is.
fn tagged(tag: &Tag, text: &str, pos: Pos) -> Result<Value, Problem> {
    let value = match (tag.core_suffix(), meaning(text)) {
        (Some("str"), _) => Value::Str(text.to_owned()),
        (Some("int"), Meaning::Whole(_))
        | (Some("float"), Meaning::Whole(_) | Meaning::Fraction(_))
        | (Some("bool"), Meaning::Bool(_)) => Value::Plain(text.to_owned()),
        (Some("null"), _) => Value::Null(null(text).unwrap_or_default()),
        (Some(_), _) => {
            let message = format!("`{text}` is not what its tag `{}` says", tag.original());
            return Err(wrong(pos, message, ""));
        }
        // A lone `!` makes a text of what it stands before.
        (None, _) if tag.original() == "!" => Value::Str(text.to_owned()),
        (None, _) => return Err(unknown_tag(tag, pos)),
    };
    Ok(value)
}

/// Adds what the mapping, or the mappings of the list, have and `entries` do not.
fn merge(entries: &mut Vec<(Key, Node)>, node: Node) -> Result<(), Problem> {
    let mappings = match node.value {
        Value::Seq(items) => items,
        _ => vec![node],
    };
    for node in mappings {
        let Value::Map(more) = node.value else {
            let message = format!(
                "`<<` takes a mapping or a list of them, found {}",
                node.describe()
            );
            return Err(wrong(node.pos, message, ""));
        };
        let known: BTreeSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
        entries.extend(
            more.into_iter()
                .filter(|(key, _)| !known.contains(&key.text)),
        );
    }
    Ok(())
}

fn wrong(pos: Pos, message: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem::new(pos, "", message).hint(hint)
}

fn not_a_key(found: &str, pos: Pos) -> Problem {
    wrong(
        pos,
        format!("expected a name before `:`, found {found}"),
        "",
    )
}

fn unknown_tag(tag: &Tag, pos: Pos) -> Problem {
    let message = format!("the tag `{}` means nothing here", tag.original());
    wrong(
        pos,
        message,
        "`!!str` makes a text of a number; quotes do as well",
    )
}

#[cfg(test)]
mod tests;
