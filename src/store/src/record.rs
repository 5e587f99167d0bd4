//! A record says what a committed stage was and which files it left; any flipped bit in it is noticed.
//! Unaware of where records lie, of the outputs' bytes, and of what a kind, a manifest or a fact means.
//!
//! Two lines of JSON ([`crate::summed`]), in the oldest format that can say it all, so that programs from before read what
//! they can:
//!
//! ```text
//!   format 1   outputs are files: path, size, digest            facts: what was consumed, the content key, and others
//!   format 2   programs, links and empty folders among them     consumed, content_key ── fields; facts: the others
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::links::{Links, stays_inside};
use crate::listed::{Listed, content_of};
use crate::{Amount, Digest, Facts, Key, Output, OutputKind, summed};

/// The format of a record whose outputs are files of which nothing else is to be said: that of the first program.
pub(crate) const PLAIN: u32 = 1;

/// The format of a record that says of an output what the first could not.
pub(crate) const WITH_KINDS: u32 = 2;

/// The largest record that is read: a million outputs take a fifth of it.
pub(crate) const MAX_RECORD: u64 = 1 << 30;

/// What a committed stage was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Line", into = "Line")]
pub struct Record {
    /// The version of its line.
    pub format: u32,
    /// The digest of the manifest.
    pub key: Key,
    /// The kind of stage.
    pub kind: String,
    /// All that determines the outputs.
    pub manifest: String,
    /// What the stage left, sorted by path.
    pub outputs: Vec<Output>,
    /// What does not determine the outputs, such as seconds and memory.
    pub facts: Facts,
}

/// The line of a record. Format 2 has fields of what format 1 has among the facts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: u32,
    key: Key,
    kind: String,
    manifest: String,
    outputs: Vec<Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumed: Option<BTreeMap<String, Digest>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_key: Option<Digest>,
    facts: Facts,
}

impl From<Record> for Line {
    fn from(record: Record) -> Self {
        let Record {
            format,
            key,
            kind,
            manifest,
            outputs,
            mut facts,
        } = record;
        let (consumed, content_key) = if format == PLAIN {
            (None, None)
        } else {
            facts.take_made_from()
        };
        Self {
            format,
            key,
            kind,
            manifest,
            outputs,
            consumed,
            content_key,
            facts,
        }
    }
}

impl TryFrom<Line> for Record {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let is_plain = line.format == PLAIN;
        if is_plain && (line.consumed.is_some() || line.content_key.is_some()) {
            return Err("it has fields of format 2");
        }
        if is_plain && line.outputs.iter().any(|o| o.kind != OutputKind::File) {
            return Err("it has outputs of format 2");
        }
        let mut facts = line.facts;
        if let Some(consumed) = &line.consumed {
            facts = facts.with_consumed(consumed);
        }
        if let Some(content_key) = &line.content_key {
            facts = facts.with_content_key(content_key);
        }
        Ok(Self {
            format: line.format,
            key: line.key,
            kind: line.kind,
            manifest: line.manifest,
            outputs: line.outputs,
            facts,
        })
    }
}

impl Record {
    /// The oldest format that can say this of outputs.
    pub(crate) fn format_for(outputs: &[Output]) -> u32 {
        if outputs.iter().all(|output| output.kind == OutputKind::File) {
            PLAIN
        } else {
            WITH_KINDS
        }
    }

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
        let listed = self.outputs.iter().map(Listed::from);
        listed.map(|listed| listed.amount()).sum()
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
        if !is_known(self.format) {
            return Err(other_format(self.format));
        }
        if self.key != *key || Key::of_manifest(&self.manifest) != *key {
            return Err("it belongs to another key".to_owned());
        }
        if !self.outputs.is_sorted_by(|a, b| a.path < b.path) {
            return Err("its outputs are out of order".to_owned());
        }
        if let Some(output) = self.outputs.iter().find(|output| !is_inside(&output.path)) {
            return Err(format!(
                "its output `{}` is not inside the folder of outputs",
                output.path
            ));
        }
        check_kinds(&self.outputs)
    }
}

/// Links stay inside, and nothing lies below a link or an empty folder.
fn check_kinds(outputs: &[Output]) -> Result<(), String> {
    let others = outputs.iter().filter(|output| !output.kind.is_file());
    let others: BTreeMap<&str, &OutputKind> = others.map(|o| (&*o.path, &o.kind)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let links: Links<'_> = (others.iter())
        .filter_map(|(path, kind)| match kind {
            OutputKind::Link(to) => Some((*path, to.as_str())),
            _ => None,
        })
        .collect();
    for output in outputs {
        let path = &output.path;
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        if above.any(|folder| others.contains_key(folder)) {
            return Err(format!(
                "its output `{path}` lies below a link or an empty folder"
            ));
        }
        if links
            .get(&**path)
            .is_some_and(|to| to.is_empty() || to.contains('\0'))
        {
            return Err(format!("its output `{path}` is a link to nowhere"));
        }
        if !stays_inside(&links, path) {
            return Err(format!(
                "its output `{path}` is a link that leads out of the folder of outputs"
            ));
        }
    }
    Ok(())
}

fn is_known(format: u32) -> bool {
    matches!(format, PLAIN | WITH_KINDS)
}

/// Why a whole line is not a record: the fields of another version may be others.
fn unreadable(line: &[u8], error: &serde_json::Error) -> String {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    match serde_json::from_slice(line) {
        Ok(Version { format }) if !is_known(format) => other_format(format),
        _ => format!("it cannot be read: {}", files::reason(error)),
    }
}

fn other_format(found: u32) -> String {
    format!("it has format {found}, this program reads {PLAIN} and {WITH_KINDS}")
}

/// Whether a path stays in the folder that it is joined to, and has one spelling.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn record(paths: &[&str]) -> Record {
        let manifest = "stage test 1\na\tb\n".to_owned();
        let output = |path: &&str| Output {
            path: (*path).to_owned(),
            size: 3,
            digest: Digest::of(b"abc"),
            kind: OutputKind::File,
        };
        Record {
            format: PLAIN,
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
                    format: 3,
                    ..good.clone()
                },
                &good.key
            )
            .contains("format 3, this program reads 1 and 2")
        );
    }

    /// A record of format 2 with these outputs.
    fn with(outputs: Vec<Output>) -> Record {
        Record {
            format: WITH_KINDS,
            outputs,
            ..record(&[])
        }
    }

    fn link(path: &str, to: &str) -> Output {
        Output::link(path.to_owned(), to.to_owned())
    }

    #[test]
    fn the_second_format_has_fields_of_what_was_consumed() {
        let consumed = BTreeMap::from([("stages.a".to_owned(), Digest::of(b"a"))]);
        let content_key = Digest::of(b"k");
        let mut record = with(vec![Output::folder("e".to_owned()), link("l", "e")]);
        record.facts = record
            .facts
            .with_consumed(&consumed)
            .with_content_key(&content_key);
        let bytes = record.encode().unwrap();
        assert_eq!(Record::decode(&bytes, &record.key).unwrap(), record);
        let line: Value = serde_json::from_slice(summed::line(&bytes).unwrap()).unwrap();
        assert_eq!(line["format"], 2);
        assert_eq!(line["consumed"]["stages.a"], Digest::of(b"a").to_string());
        assert_eq!(line["content_key"], content_key.to_string());
        assert_eq!(line["facts"], serde_json::json!({"seconds": 1.5}));
        // The same line of format 1 is none.
        let text = String::from_utf8(serde_json::to_vec(&record).unwrap()).unwrap();
        let first = text.replace("\"format\":2", "\"format\":1");
        assert!(serde_json::from_str::<Record>(&first).is_err());
        let first = first.replace(&format!("\"content_key\":\"{content_key}\","), "");
        let error = serde_json::from_str::<Record>(&first).unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
    }

    #[test]
    fn links_that_lead_out_and_outputs_behind_them_are_refused() {
        let file = |path: &str| Output {
            path: path.to_owned(),
            ..record(&["x"]).outputs.remove(0)
        };
        let refusal = |outputs| {
            let record = with(outputs);
            Record::decode(&record.encode().unwrap(), &record.key).unwrap_err()
        };
        assert!(refusal(vec![link("l", "../x")]).contains("leads out"));
        assert!(refusal(vec![link("l", "/etc")]).contains("leads out"));
        assert!(refusal(vec![link("l", "")]).contains("to nowhere"));
        let behind = refusal(vec![link("l", "m"), file("l-x"), file("l/x")]);
        assert!(behind.contains("`l/x` lies below a link"), "{behind}");
        let empty = refusal(vec![Output::folder("e".to_owned()), file("e/d/x")]);
        assert!(empty.contains("`e/d/x` lies below"), "{empty}");
    }
}
