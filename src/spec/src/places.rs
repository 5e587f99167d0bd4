//! Where the files and outputs of one command lie.
//! Unaware of how that is found.

use std::path::PathBuf;

/// Where the things of one command lie; all paths are relative to the project folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The folder of the pipeline file: where the command runs.
    pub home: PathBuf,
    /// Its files, in the order of `files`; `None` for one outside the project, which keeps its
    /// absolute path.
    pub files: Vec<Option<PathBuf>>,
    /// Its outputs, in the order of `outputs`.
    pub outputs: Vec<PathBuf>,
}
