//! `command`: a program of the user's own, for what is not built in.
//! Unaware of how it is started; [`crate::anchor`] says where its files and outputs lie.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program with declared inputs, outputs and environment.
///
/// It runs in a folder of its own in which the declared inputs stand at their paths, so `run: [python3, stats.py]`
/// reads and writes what it would beside the pipeline file. What is not declared is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell is between.
    #[serde(default)]
    pub run: Vec<String>,
    /// Instead of `run`: a text for `sh -eu -c`.
    #[serde(default)]
    pub shell: Option<String>,
    /// Files and folders that it reads, relative to this file, such as its own script. Their bytes are in the key.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Stages whose outputs it reads, each as a folder of this name beside this file. A swept stage stands for all of its
    /// members: each is a folder in that one, called by its values (`masks/alpha=0.5`).
    #[serde(default)]
    pub stages: BTreeMap<String, String>,
    /// Files and folders that it must leave, relative to this file. They are kept in the cache and put there.
    pub outputs: Vec<PathBuf>,
    /// Environment variables. Beside these it gets `PATH`, `HOME` and `TMPDIR` alone.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables that are handed through; their values are in the key.
    #[serde(default)]
    pub pass: Vec<String>,
}
