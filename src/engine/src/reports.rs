//! `run.json`, the list of what lies in a folder of reports: file, overrides, and of each report its files, and the run
//! that made it. Unaware of what reports show.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use spec::Pipeline;

use crate::{inside, root};

/// The list of what lies in a folder of reports.
pub const INDEX: &str = "run.json";

/// More than a list takes.
const MAX_INDEX: u64 = 1 << 28;

/// How the file is named in reports: below the project where it lies there, so that another machine's says the same.
pub fn shown_file(pipeline: &Pipeline, root: &Path) -> String {
    let file = &pipeline.file;
    let absolute = std::path::absolute(file).map_or_else(|_| file.clone(), |f| spec::normal(&f));
    let below = absolute.strip_prefix(root);
    let below = below.or_else(|_| absolute.strip_prefix(root::of_file(file)));
    below.unwrap_or(file).display().to_string()
}

/// What lies in a folder of reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// The pipeline file.
    pub file: String,
    /// `--set` as given.
    pub overrides: Vec<String>,
    /// What lies here, by stage.
    pub reports: BTreeMap<String, Entry>,
    /// The page; none where it could not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageEntry>,
}

/// The page in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageEntry {
    /// Names what it was made of: the same stages with the same results, and the same program. Empty for the page of a run
    /// that goes on, or was killed.
    pub made_of: String,
    /// Its files, relative to the folder.
    pub files: Vec<String>,
}

/// A report in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run that made it; none for results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When, RFC 3339 in UTC.
    pub finished: String,
    /// Its files, relative to the folder.
    pub files: Vec<String>,
}

impl Index {
    fn all_files(&self) -> impl Iterator<Item = &String> {
        let page = self.page.iter().flat_map(|p| &p.files);
        self.reports.values().flat_map(|r| &r.files).chain(page)
    }

    /// The list in a folder; none where there is none, or none that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = files::read_to_string(&folder.join(INDEX), MAX_INDEX).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Says of the page in a folder that it is not that of a finished run, before it is written over.
    pub fn unfinish(folder: &Path) -> io::Result<()> {
        let Some(mut index) = Self::read(folder) else {
            return Ok(());
        };
        match &mut index.page {
            Some(page) if !page.made_of.is_empty() => {
                page.made_of.clear();
                index.write(folder)
            }
            _ => Ok(()),
        }
    }

    /// Writes it where it changed.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        put(&folder.join(INDEX), text.as_bytes())
    }

    /// Removes what an earlier run left in `folder` (below `root`) and this list does not name: the reports of stages
    /// that have another name now. A file that is no report of the same pipeline file is left alone.
    pub fn remove_others(&self, before: &Self, root: &Path, folder: &Path) -> io::Result<()> {
        if before.file != self.file {
            return Ok(());
        }
        let ours: BTreeSet<&String> = self.all_files().collect();
        let old = before.all_files();
        for name in old.filter(|name| !ours.contains(*name)) {
            let is_below = Path::new(name)
                .components()
                .all(|c| matches!(c, Component::Normal(_)));
            let Ok(path) = inside::place(root, &folder.join(name)) else {
                continue;
            };
            if is_below && path.symlink_metadata().is_ok_and(|m| m.is_file()) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Writes a file at `below` the project's `root`, as [`put`] does; links that lead out of the project are not followed.
pub fn put_below(root: &Path, below: &Path, bytes: &[u8]) -> io::Result<()> {
    inside::place(root, below).map_err(io::Error::other)?;
    put(&root.join(below), bytes)
}

/// Writes a file whole, where it holds something else or is not there.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match files::read(path, bytes.len() as u64) {
        Ok(old) if old == bytes => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => return Err(e),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    store::write_atomic(path, bytes).map_err(|e| io::Error::other(e.to_string()))
}
