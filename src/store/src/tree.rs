//! How much lies in a folder, and when it was last written to.
//! Unaware of what it is. What vanishes meanwhile, or cannot be read, does not count.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::error::at;
use crate::{Amount, Result};

/// What was found of a file or a folder with all in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Regular files and their bytes.
    pub(crate) amount: Amount,
    /// The last write to any of them; 1970 where there is nothing.
    pub(crate) newest: SystemTime,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            amount: Amount::default(),
            newest: SystemTime::UNIX_EPOCH,
        }
    }
}

/// Measures `path`, without following links.
pub(crate) fn measure(path: &Path) -> Tree {
    let mut tree = Tree::default();
    let entries = WalkDir::new(path).follow_root_links(false).into_iter();
    for meta in entries.filter_map(|entry| entry.ok()?.metadata().ok()) {
        tree.newest = tree.newest.max(mtime(&meta));
        if !meta.is_dir() {
            tree.amount += Amount {
                files: 1,
                bytes: meta.len(),
            };
        }
    }
    tree
}

/// The time of the last write.
pub(crate) fn mtime(meta: &Metadata) -> SystemTime {
    meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What lies directly in a folder, sorted; nothing where there is no folder.
pub(crate) fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

/// What lies in the folders of a folder: `<room>/<aa>/...`.
pub(crate) fn inside_shards(room: &Path) -> Vec<PathBuf> {
    inside(room)
        .iter()
        .flat_map(|shard| inside(shard))
        .collect()
}

/// The name of a path as text; empty where it is not UTF-8.
pub(crate) fn name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

/// The names in a folder; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let names =
                entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
            names
                .filter_map(Result::transpose)
                .collect::<io::Result<_>>()
                .map_err(at("list", folder))
        }
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(e) => Err(at("list", folder)(e)),
    }
}
