//! The lines of a journal, each with a checksum of itself: `{"stage":{…},"sum":"<32 digits>"}`.
//! Unaware of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of these lines.
pub const FORMAT: u32 = 2;

/// The version whose lines have no checksum.
pub const UNSEALED: u32 = 1;

/// The keys of a run's stages, by name.
pub type Keys = BTreeMap<String, String>;

/// What is known when a run starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The run's name: UTC date, time, milliseconds and two more digits.
    pub id: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// The words of the command line.
    pub command: Vec<String>,
    /// The pipeline file, absolute.
    pub file: String,
    /// `--set` as given.
    pub overrides: Vec<String>,
    /// What the file read from the environment.
    pub env: BTreeMap<String, String>,
    /// The commit that the project's folder is at, if it is in a git repository.
    pub git: Option<Git>,
    /// Host, system, versions.
    pub machine: BTreeMap<String, serde_json::Value>,
    /// Where torch stages compute.
    pub device: String,
    /// Stages to run, fresh and blocked when it started.
    pub planned: [usize; 3],
    /// Names the file of keys.
    pub keys: String,
}

/// Where a git repository stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit, in full.
    pub commit: String,
    /// Whether tracked files differed from it; unknown when nothing ran.
    pub dirty: Option<bool>,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageEnd {
    /// It ran.
    Done,
    /// Another run made it meanwhile.
    ByOther,
    /// Nothing ran: the same configuration had read the same bytes before.
    SameInputs,
    /// It failed.
    Failed,
    /// It was stopped.
    Stopped,
}

/// A stage that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageLine {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How.
    pub end: StageEnd,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Iterations planned, of a training.
    pub iterations: Option<u64>,
    /// Why it failed; empty when it did not.
    #[serde(default)]
    pub message: String,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// RFC 3339, UTC.
    pub ended: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Stages that ran.
    pub ran: usize,
    /// Stages that were fresh.
    pub fresh: usize,
    /// Stages that failed.
    pub failed: usize,
    /// Stages that were blocked, stopped, or did not come to run.
    #[serde(default)]
    pub not_run: usize,
    /// The exit code.
    pub exit: u8,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Run(Box<Header>),
    /// A stage that ended.
    Stage(StageLine),
    /// The last.
    End(End),
}

/// What stands before the checksum of a line.
const MARK: &str = ",\"sum\":\"";

/// Digits of a checksum.
const DIGITS: usize = 32;

impl Line {
    /// The bytes to append.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_string(self).map(|text| seal(&text).into_bytes())
    }

    /// The line in this text, and whether a checksum vouches for it. `None` where it is damaged or torn.
    pub fn decode(text: &str) -> Option<(Self, bool)> {
        let (body, sealed) = unseal(text)?;
        Some((serde_json::from_str(&body).ok()?, sealed))
    }
}

/// A line with its checksum and end, of a JSON object.
fn seal(body: &str) -> String {
    let open = body.strip_suffix('}').unwrap_or(body);
    let sum = store::Digest::of(body.as_bytes());
    format!("{open}{MARK}{sum:.32}\"}}\n")
}

/// A line without its checksum, and whether it had one. `None` where the checksum does not fit.
fn unseal(line: &str) -> Option<(String, bool)> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let Some((open, sum)) = line.rsplit_once(MARK) else {
        return Some((line.to_owned(), false));
    };
    let body = format!("{open}}}");
    let is_whole =
        format!("{:.DIGITS$}", store::Digest::of(body.as_bytes())) == *sum.strip_suffix("\"}")?;
    is_whole.then_some((body, true))
}

/// A line after a change of what it says, with a checksum that fits again. One that is damaged stays so.
pub fn changed(line: &str, change: impl Fn(&str) -> String) -> String {
    match unseal(line) {
        Some((body, true)) => seal(&change(&body)),
        _ => change(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::Stage(StageLine {
            name: "a".into(),
            kind: "command".into(),
            end: StageEnd::Failed,
            seconds: 1.5,
            iterations: None,
            message: "no,\"sum\":\"".into(),
        })
    }

    #[test]
    fn a_line_comes_back_and_any_flipped_bit_or_cut_is_noticed() {
        let bytes = line().encode().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
        assert_eq!(Line::decode(text), Some((line(), true)));
        // The end of the line belongs to the file.
        for bit in 0..(bytes.len() - 1) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let text = String::from_utf8_lossy(&flipped);
            let found = Line::decode(&text);
            assert!(found.is_none_or(|(_, sealed)| !sealed), "bit {bit}");
        }
        for length in 0..bytes.len() - 1 {
            let found = Line::decode(&text[..length]);
            assert!(found.is_none_or(|(_, sealed)| !sealed), "{length} bytes");
        }
    }

    #[test]
    fn a_changed_line_is_sealed_again_and_a_damaged_one_is_not() {
        let whole = String::from_utf8(line().encode().unwrap()).unwrap();
        let other = |body: &str| body.replace("command", "train");
        let (found, sealed) = Line::decode(&changed(&whole, other)).unwrap();
        assert!(sealed);
        assert!(matches!(found, Line::Stage(stage) if stage.kind == "train"));
        let damaged = whole.replace("1.5", "1.7");
        assert_eq!(Line::decode(&changed(&damaged, other)), None);
    }
}
