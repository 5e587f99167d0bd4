//! What a record says beside the result, by name; of some facts, what they say of where the result comes from.
//! Unaware of the record around them, and of what any other fact means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Key};

/// The fact of a record that says what its stage consumed: a digest for each role of an input.
const CONSUMED: &str = "consumed";

/// The fact of a record that holds its content key.
const CONTENT_KEY: &str = "content_key";

/// The fact of a record that was taken over: the key of the record whose stage ran.
const COPIED_FROM: &str = "same_inputs_as";

/// Named values beside the result, kept as they are given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub BTreeMap<String, Value>);

impl Facts {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Adds or replaces one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl Facts {
    /// Says what a stage consumed.
    #[must_use]
    pub fn with_consumed(self, consumed: &BTreeMap<String, Digest>) -> Self {
        let text = |(role, digest): (&String, &Digest)| (role.clone(), digest.to_string().into());
        let object: serde_json::Map<String, Value> = consumed.iter().map(text).collect();
        self.with(CONSUMED, object)
    }

    /// What the stage consumed. `None` where that is not said, or not as [`Facts::with_consumed`] says it.
    pub fn consumed(&self) -> Option<BTreeMap<String, Digest>> {
        let digest = |(role, text): (&String, &Value)| {
            let digest = text.as_str()?.parse::<Digest>().ok()?;
            Some((role.clone(), digest))
        };
        self.get(CONSUMED)?
            .as_object()?
            .iter()
            .map(digest)
            .collect()
    }

    /// Says what identifies the work with its inputs by content: see [`Made::content_key`].
    #[must_use]
    pub fn with_content_key(self, content_key: &Digest) -> Self {
        self.with(CONTENT_KEY, content_key.to_string())
    }

    /// The digest that [`Facts::with_content_key`] put there.
    pub fn content_key(&self) -> Option<Digest> {
        self.get(CONTENT_KEY)?.as_str()?.parse().ok()
    }

    /// Takes out what [`Facts::with_consumed`] and [`Facts::with_content_key`] put there.
    pub(crate) fn take_made_from(&mut self) -> (Option<BTreeMap<String, Digest>>, Option<Digest>) {
        let made_from = (self.consumed(), self.content_key());
        if made_from.0.is_some() {
            self.0.remove(CONSUMED);
        }
        if made_from.1.is_some() {
            self.0.remove(CONTENT_KEY);
        }
        made_from
    }

    /// Says that the result is a copy of that of `from`, or of what that one was copied from.
    #[must_use]
    pub fn copied_from(mut self, from: &Key) -> Self {
        if self.source().is_none() {
            self.set(COPIED_FROM, from.to_string());
        }
        self
    }

    /// The key whose stage ran, where the result was taken over from another record.
    pub fn source(&self) -> Option<Key> {
        self.get(COPIED_FROM)?.as_str()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_consumed_comes_back_and_nonsense_is_none() {
        let consumed = BTreeMap::from([("images".to_owned(), Digest::of(b"a"))]);
        let facts = Facts::new().with_consumed(&consumed);
        assert_eq!(facts.consumed(), Some(consumed));
        assert_eq!(Facts::new().consumed(), None);
        assert_eq!(Facts::new().with(CONSUMED, 3).consumed(), None);
        let odd = serde_json::json!({"images": "no digest"});
        assert_eq!(Facts::new().with(CONSUMED, odd).consumed(), None);
    }

    #[test]
    fn a_copy_of_a_copy_names_the_one_that_ran() {
        let (one, two) = (Key::of_manifest("1"), Key::of_manifest("2"));
        let facts = Facts::new().copied_from(&one).copied_from(&two);
        assert_eq!(facts.source(), Some(one));
    }
}
