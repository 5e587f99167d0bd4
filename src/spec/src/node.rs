//! A YAML value that remembers where it stood, so that substitution can come before typing.
//! Unaware of stages and of what a value means.

use crate::scalar::{Meaning, meaning};
use std::collections::BTreeMap;

/// A position in one of the texts a pipeline was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// Index into the sources of the error reporter (0 is the pipeline file itself).
    pub source: usize,
    /// Line, from 1; 0 where there is none.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it begins.
    pub pos: Pos,
}

/// What YAML can say.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`, as it is spelled.
    Null(&'static str),
    /// What a file took away from another one that it includes. It is there only until all files are merged.
    Gone,
    /// A truth value or a number, as it is spelled: what it means depends on the type that is asked for.
    Plain(String),
    /// Text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping in the order of the text; keys are unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it begins.
    pub pos: Pos,
}

impl Node {
    /// What kind of value this is, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null(_) | Value::Gone => "nothing".into(),
            Value::Plain(text) => match meaning(text) {
                Meaning::Whole(_) | Meaning::Fraction(_) => format!("the number `{text}`"),
                Meaning::Null | Meaning::Bool(_) | Meaning::Text => format!("`{text}`"),
            },
            Value::Str(s) => format!("`{s}`"),
            Value::Seq(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
        }
    }

    /// The entries of a mapping; nothing counts as an empty one.
    pub fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null(_) | Value::Gone => Some(&[]),
            _ => None,
        }
    }

    /// The value under `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?
            .iter()
            .find(|(k, _)| k.text == key)
            .map(|(_, v)| v)
    }

    /// The deepest node on the way along `path` (dotted keys and list indices): where a message should point.
    pub fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        for step in path.split('.') {
            let next = match &node.value {
                Value::Seq(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => node.get(step),
            };
            match next {
                Some(n) => node = n,
                None => break,
            }
        }
        node
    }

    /// How deep lists and mappings stand in this; 0 for a scalar. The reader and substitution keep it below
    /// [`crate::Limits::DEPTH`], so that walks may recurse.
    pub fn depth(&self) -> usize {
        let deepest = |nodes: &mut dyn Iterator<Item = &Self>| nodes.map(Self::depth).max();
        match &self.value {
            Value::Seq(items) => 1 + deepest(&mut items.iter()).unwrap_or(0),
            Value::Map(entries) => 1 + deepest(&mut entries.iter().map(|(_, n)| n)).unwrap_or(0),
            _ => 0,
        }
    }

    /// How many values this is made of, itself counted.
    pub fn values(&self) -> u64 {
        match &self.value {
            Value::Seq(items) => 1 + items.iter().map(Self::values).sum::<u64>(),
            Value::Map(entries) => 1 + entries.iter().map(|(_, n)| n.values()).sum::<u64>(),
            _ => 1,
        }
    }

    /// The bytes that a copy of this takes, about.
    pub fn weight(&self) -> u64 {
        let inner = match &self.value {
            Value::Str(text) => text.len() as u64,
            Value::Seq(items) => items.iter().map(Self::weight).sum(),
            Value::Map(entries) => {
                let entry = |(key, node): &(Key, Self)| key.text.len() as u64 + node.weight();
                entries.iter().map(entry).sum()
            }
            _ => 0,
        };
        inner + size_of::<Self>() as u64
    }

    /// A scalar as it is written; `None` for lists and mappings.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Gone => Some(String::new()),
            Value::Null(text) => Some((*text).to_owned()),
            Value::Plain(text) | Value::Str(text) => Some(text.clone()),
            Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// Lays `over` upon this: mappings are merged key by key, nothing (`key: null`) takes a key away, anything else is
    /// replaced. What was taken away stays so in files that are merged later: see [`Node::without_gone`].
    pub fn merge(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Map(base), Value::Map(entries)) if base.is_empty() => *base = entries,
            (Value::Map(base), Value::Map(entries)) => {
                let known = base.iter().enumerate();
                let known: BTreeMap<String, usize> =
                    known.map(|(at, (key, _))| (key.text.clone(), at)).collect();
                for (key, node) in entries {
                    match known.get(&key.text).copied() {
                        Some(at) if matches!(node.value, Value::Null(_)) => {
                            base[at].1 = Node {
                                value: Value::Gone,
                                pos: node.pos,
                            };
                        }
                        Some(at) => base[at].1.merge(node),
                        None => base.push((key, node)),
                    }
                }
            }
            (_, value) => {
                *self = Node {
                    value,
                    pos: over.pos,
                }
            }
        }
    }

    /// Drops the keys that [`Node::merge`] took away.
    pub fn without_gone(mut self) -> Self {
        self.drop_gone();
        self
    }

    fn drop_gone(&mut self) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|(_, node)| !matches!(node.value, Value::Gone));
            for (_, node) in entries {
                node.drop_gone();
            }
        }
    }

    /// Sets the value at the end of these steps, making mappings on the way where there is nothing.
    ///
    /// Returns the step that could not be taken, because a scalar or a too short list stands there.
    pub fn set(&mut self, steps: &[&str], new: Node) -> Result<(), String> {
        let mut node = self;
        for step in steps {
            node = node.slot(step, new.pos)?;
        }
        *node = new;
        Ok(())
    }

    fn slot(&mut self, step: &str, pos: Pos) -> Result<&mut Node, String> {
        if matches!(self.value, Value::Null(_)) {
            self.value = Value::Map(Vec::new());
        }
        match &mut self.value {
            Value::Map(entries) => {
                let found = entries.iter().position(|(k, _)| k.text == step);
                let at = found.unwrap_or(entries.len());
                if found.is_none() {
                    let key = Key {
                        text: step.into(),
                        pos,
                    };
                    entries.push((
                        key,
                        Node {
                            value: Value::Null(""),
                            pos,
                        },
                    ));
                }
                Ok(&mut entries[at].1)
            }
            Value::Seq(items) => {
                let index = step.parse::<usize>().ok();
                index
                    .and_then(|i| items.get_mut(i))
                    .ok_or_else(|| step.into())
            }
            _ => Err(step.into()),
        }
    }
}
