//! Reads the common part of YAML straight from the parser's events, in a third of the time of the full reader.
//! Unaware of anchors, tags, merge keys, several documents and errors: at the first of them it gives up, and the full
//! reader reads the text anew and says what is wrong.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput};

use crate::node::{Key, Node, Pos, Value};
use crate::scalar::{Meaning, meaning, null};

/// Deeper texts are left to the full reader and its limits.
const DEPTH: usize = 64;

/// Up to so many keys of a mapping are compared one by one.
const FEW: usize = 16;

/// The document, or nothing where the full reader must look.
pub(crate) fn read(text: &str, source: usize) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, source };
    let start = [reader.next()?.0, reader.next()?.0];
    let [Event::StreamStart, Event::DocumentStart(_, None)] = start else {
        return None;
    };
    let root = reader.node(DEPTH)?;
    let end = [reader.next()?.0, reader.next()?.0];
    (end == [Event::DocumentEnd, Event::StreamEnd]).then_some(root)
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    source: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        self.parser.next_event()?.ok()
    }

    fn pos(&self, span: &Span) -> Pos {
        Pos {
            source: self.source,
            line: span.start.line(),
            column: span.start.col() + 1,
        }
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        let (event, span) = self.next()?;
        self.value(event, &span, depth)
    }

    fn value(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Option<Node> {
        let pos = self.pos(span);
        let value = match event {
            Event::Scalar(text, style, 0, None) => scalar(text, style),
            Event::SequenceStart(_, 0, None) => Value::Seq(self.items(depth.checked_sub(1)?)?),
            Event::MappingStart(_, 0, None) => Value::Map(self.entries(depth.checked_sub(1)?)?),
            _ => return None,
        };
        Some(Node { value, pos })
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Some(items),
                (event, span) => items.push(self.value(event, &span, depth)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Option<Vec<(Key, Node)>> {
        let mut entries = Vec::new();
        loop {
            match self.next()? {
                (Event::MappingEnd, _) => return all_differ(&entries).then_some(entries),
                (Event::Scalar(text, style, 0, None), span) => {
                    let key = Key {
                        text: key(text, style)?,
                        pos: self.pos(&span),
                    };
                    entries.push((key, self.node(depth)?));
                }
                _ => return None,
            }
        }
    }
}

fn all_differ(entries: &[(Key, Node)]) -> bool {
    if entries.len() <= FEW {
        let twice = |n: usize| {
            entries[..n]
                .iter()
                .any(|(k, _)| k.text == entries[n].0.text)
        };
        return !(1..entries.len()).any(twice);
    }
    let keys: BTreeSet<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
    keys.len() == entries.len()
}

/// A key is a name, whatever it looks like; what is nothing or a merge is left to the full reader.
fn key(text: Cow<'_, str>, style: ScalarStyle) -> Option<String> {
    let is_name = style != ScalarStyle::Plain || (meaning(&text) != Meaning::Null && text != "<<");
    is_name.then(|| text.into_owned())
}

/// The scalar as it is written.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    if style == ScalarStyle::Plain {
        plain(text.into_owned())
    } else {
        Value::Str(text.into_owned())
    }
}

/// A scalar without quotes: only those that could be something else than a text are kept apart.
pub(crate) fn plain(text: String) -> Value {
    match meaning(&text) {
        Meaning::Text => Value::Str(text),
        Meaning::Null => Value::Null(null(&text).unwrap_or_default()),
        Meaning::Bool(_) | Meaning::Whole(_) | Meaning::Fraction(_) => Value::Plain(text),
    }
}

/// The text of each plain scalar of a document, by line and column: the full reader hands on numbers alone.
pub(crate) fn plain_texts(text: &str) -> BTreeMap<(usize, usize), String> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut texts = BTreeMap::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = event {
            let at = (span.start.line(), span.start.col() + 1);
            texts.insert(at, text.into_owned());
        }
    }
    texts
}
