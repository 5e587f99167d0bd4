//! Where the files and outputs of one command lie.
//! Unaware of how that is found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use files::Pattern;

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
    /// Those of its outputs that are patterns, by index. A name that is there as it is written is no pattern all the same.
    pub patterns: BTreeMap<usize, Pattern>,
}

impl Places {
    /// The folder that output `at` lies in, or that its pattern begins in.
    pub fn folder_of(&self, at: usize) -> &Path {
        match self.patterns.get(&at) {
            Some(pattern) => pattern.fixed(),
            None => self.outputs[at].parent().unwrap_or(Path::new("")),
        }
    }

    /// The pattern that this output is.
    pub fn pattern_of(&self, output: &Path) -> Option<&Pattern> {
        let mut all = self.patterns.iter();
        let found = all.find(|(at, _)| self.outputs[**at] == output);
        found.map(|(_, pattern)| pattern)
    }

    /// Which output a path is or lies in, and where a reader of the stage finds that output: under its last name, or, of a
    /// pattern, as it lies in the folder that the pattern begins in.
    pub fn read_as(&self, path: &Path) -> Option<(usize, PathBuf)> {
        for (at, output) in self.outputs.iter().enumerate() {
            if path.starts_with(output) {
                let name = output.file_name().map(PathBuf::from);
                return Some((at, name.unwrap_or_default()));
            }
            let Some(pattern) = self.patterns.get(&at) else {
                continue;
            };
            let Ok(inside) = path.strip_prefix(pattern.fixed()) else {
                continue;
            };
            let fitting = inside.ancestors().filter(|folder| pattern.fits(folder));
            if let Some(outermost) = fitting.last() {
                return Some((at, outermost.to_path_buf()));
            }
        }
        None
    }

    /// Whether something that is or lies in an output may have this path, or lie below it.
    pub fn may_make(&self, path: &Path) -> bool {
        let named = self.outputs.iter();
        let mut named = named.map(|output| path.starts_with(output) || output.starts_with(path));
        named.any(|makes| makes)
            || self
                .patterns
                .values()
                .any(|pattern| pattern.touches_path(path))
    }
}
