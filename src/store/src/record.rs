//! A record says what a committed stage was and which files it left; any flipped bit in it is noticed.
//! Unaware of where records lie, of the outputs' bytes, and of what a kind, a manifest or a fact means.
//!
//! Two lines of JSON ([`crate::summed`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::index::Listed;
use crate::made::content_of;
use crate::{Amount, Digest, Key, summed};

/// The version of the record's fields. Raise it when one changes its meaning.
pub const RECORD_FORMAT: u32 = 1;

/// The largest record that is read: a million outputs take a fifth of it.
pub(crate) const MAX_RECORD: u64 = 1 << 30;

/// What a committed stage was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of these fields.
    pub format: u32,
    /// The digest of the manifest.
    pub key: Key,
    /// The kind of stage.
    pub kind: String,
    /// All that determines the outputs.
    pub manifest: String,
    /// The files, sorted by path.
    pub outputs: Vec<Output>,
    /// What does not determine the outputs, such as seconds and memory.
    pub facts: Facts,
}

/// One file of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The path in the folder of outputs, with `/` between folders.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The digest of the bytes.
    pub digest: Digest,
}

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

impl Record {
    /// The output of this path.
    pub fn output(&self, path: &str) -> Option<&Output> {
        let at = self
            .outputs
            .binary_search_by(|output| output.path.as_str().cmp(path))
            .ok()?;
        self.outputs.get(at)
    }

    /// The digest over paths, sizes and digests of all outputs.
    pub fn content(&self) -> Digest {
        content_of(self.outputs.iter().map(Listed::from))
    }

    /// Files and bytes of the outputs.
    pub fn amount(&self) -> Amount {
        let one = |output: &Output| Amount {
            files: 1,
            bytes: output.size,
        };
        self.outputs.iter().map(one).sum()
    }

    /// The bytes to keep.
    pub(crate) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        summed::encode(self)
    }

    /// The record of `key` in these bytes, or what is wrong with them.
    pub(crate) fn decode(bytes: &[u8], key: &Key) -> Result<Self, String> {
        let line = summed::line(bytes)?;
        let record: Self = serde_json::from_slice(line).map_err(|e| unreadable(line, &e))?;
        record.check(key)?;
        Ok(record)
    }

    fn check(&self, key: &Key) -> Result<(), String> {
        if self.format != RECORD_FORMAT {
            return Err(other_format(self.format));
        }
        if self.key != *key || Key::of_manifest(&self.manifest) != *key {
            return Err("it belongs to another key".to_owned());
        }
        if !self.outputs.is_sorted_by(|a, b| a.path < b.path) {
            return Err("its outputs are out of order".to_owned());
        }
        match self.outputs.iter().find(|output| !is_inside(&output.path)) {
            Some(output) => Err(format!(
                "its output `{}` is not inside the folder of outputs",
                output.path
            )),
            None => Ok(()),
        }
    }
}

/// Why a whole line is not a record: the fields of another version may be others.
fn unreadable(line: &[u8], error: &serde_json::Error) -> String {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    match serde_json::from_slice(line) {
        Ok(Version { format }) if format != RECORD_FORMAT => other_format(format),
        _ => format!("it cannot be read: {}", files::reason(error)),
    }
}

fn other_format(found: u32) -> String {
    format!("it has format {found}, this program reads {RECORD_FORMAT}")
}

/// Whether a path stays in the folder that it is joined to, and has one spelling.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(paths: &[&str]) -> Record {
        let manifest = "stage test 1\na\tb\n".to_owned();
        let output = |path: &&str| Output {
            path: (*path).to_owned(),
            size: 3,
            digest: Digest::of(b"abc"),
        };
        Record {
            format: RECORD_FORMAT,
            key: Key::of_manifest(&manifest),
            kind: "test".to_owned(),
            manifest,
            outputs: paths.iter().map(output).collect(),
            facts: Facts::new().with("seconds", 1.5),
        }
    }

    #[test]
    fn it_round_trips_in_two_lines_of_json() {
        let record = record(&["a", "b/c"]);
        let bytes = record.encode().unwrap();
        assert_eq!(Record::decode(&bytes, &record.key).unwrap(), record);
        let lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        assert_eq!(lines.flatten().count(), 2);
        assert_eq!(record.output("b/c").unwrap().size, 3);
        assert!(record.output("b").is_none());
    }

    #[test]
    fn any_flipped_bit_or_cut_is_noticed() {
        let record = record(&["a"]);
        let bytes = record.encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&flipped, &record.key).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(
                Record::decode(&bytes[..length], &record.key).is_err(),
                "{length} bytes"
            );
        }
        assert!(Record::decode(&[bytes.as_slice(), b"x"].concat(), &record.key).is_err());
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            "./a",
            "a\0",
        ] {
            let record = record(&[path]);
            let error = Record::decode(&record.encode().unwrap(), &record.key).unwrap_err();
            assert!(error.contains("not inside"), "{path}: {error}");
        }
        for path in ["a", "a b", "..a", "a..", "a/b.c", "ä"] {
            let record = record(&[path]);
            assert!(
                Record::decode(&record.encode().unwrap(), &record.key).is_ok(),
                "{path}"
            );
        }
    }

    #[test]
    fn records_of_other_keys_orders_and_versions_are_refused() {
        let good = record(&["a", "b"]);
        let other = Key::of_manifest("other");
        let refusal =
            |record: &Record, key| Record::decode(&record.encode().unwrap(), key).unwrap_err();
        assert!(refusal(&good, &other).contains("another key"));
        assert!(
            refusal(
                &Record {
                    manifest: "x".into(),
                    ..good.clone()
                },
                &good.key
            )
            .contains("another key")
        );
        assert!(refusal(&record(&["b", "a"]), &good.key).contains("out of order"));
        assert!(refusal(&record(&["a", "a"]), &good.key).contains("out of order"));
        assert!(
            refusal(
                &Record {
                    format: 2,
                    ..good.clone()
                },
                &good.key
            )
            .contains("format 2")
        );
    }
}
