//! A pipeline file, understood: its stages and the edges between them.
//! Unaware of how a file is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::edge::Edge;
use crate::handed::Handed;
use crate::kinds::{External, Kind, Resources};
use crate::places::Places;
use crate::reference::Index;
use crate::sensitive::is_sensitive;
use diagnostics::{Diagnostics, Place};

/// A pipeline file, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// The file.
    pub file: PathBuf,
    /// All files that were read for it, itself the first.
    pub sources: Vec<PathBuf>,
    /// The stages in the order of the file, swept ones multiplied.
    pub stages: Vec<Stage>,
    /// What was read from the environment.
    pub env_used: BTreeMap<String, String>,
    /// `--set` as given.
    pub overrides: Vec<String>,
    /// What is allowed and hardly meant, a text each.
    pub warnings: Diagnostics,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name, with axes and values if it is a member of a sweep.
    pub name: String,
    /// The name in the file.
    pub base: String,
    /// The axes and values, empty outside sweeps.
    pub axes: Vec<(String, String)>,
    /// What it does.
    pub kind: Kind,
    /// The stages it reads, in the order in which its kind tells them.
    pub inputs: Vec<Edge>,
    /// What it asks of the machine.
    pub resources: Resources,
    /// The folder of the file it is written in: relative paths start there.
    pub folder: PathBuf,
    /// Where a command's files and outputs lie; empty before `Pipeline::anchor`, and for other kinds.
    pub places: Places,
    /// What a command gets of the caller's environment beside its `env`.
    pub handed: Handed,
    /// The digest of a command's program where it is part of the key; whoever knows `PATH` fills it in.
    pub program: Option<String>,
    /// Where its name stands.
    pub place: Place,
    /// The files and folders outside the cache that it reads.
    pub external: Vec<External>,
}

impl Stage {
    /// The stage that fills `role`.
    pub fn input(&self, role: &str) -> Option<usize> {
        self.inputs.iter().find(|e| e.role == role).map(|e| e.stage)
    }

    /// The stages whose role begins with `field.`.
    pub fn inputs_of<'s>(&'s self, field: &'s str) -> impl Iterator<Item = usize> + 's {
        let belongs = move |e: &&Edge| {
            e.role
                .strip_prefix(field)
                .is_some_and(|r| r.starts_with('.'))
        };
        self.inputs.iter().filter(belongs).map(|e| e.stage)
    }
}

impl Pipeline {
    /// Whether the value of a variable is not to be shown: by its name, or because a command gets it as a secret.
    pub fn is_secret(&self, name: &str) -> bool {
        let handed = |stage: &Stage| stage.handed.secrets.contains_key(name);
        is_sensitive(name) || self.stages.iter().any(handed)
    }

    /// The stages called `target`: a stage, a sweep, or one of its members.
    pub fn find(&self, target: &str) -> Result<Vec<usize>, String> {
        self.find_all(&[target])
    }

    /// The stages that any of these targets means.
    pub fn find_all(&self, targets: &[impl AsRef<str>]) -> Result<Vec<usize>, String> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let index = index_of(self.stages.iter());
        let found = targets.iter().map(|target| index.found(target.as_ref()));
        Ok(found.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

pub(crate) fn index_of<'a>(stages: impl Iterator<Item = &'a Stage>) -> Index<'a> {
    let mut index = Index::default();
    for stage in stages {
        index.push(&stage.base, &stage.name, stage.axes.as_slice());
    }
    index
}
