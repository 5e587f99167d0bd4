//! The lines of a journal.
//! Unaware of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of these lines.
pub const FORMAT: u32 = 1;

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
