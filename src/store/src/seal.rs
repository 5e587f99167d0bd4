//! What the outputs of a key were when their bytes were last known to be those of its record, and whether they still are.
//! Unaware of who reads them, and of who may have changed them.
//!
//! ```text
//!   commit: hashed while they were listed ──┐
//!   every byte read, all as recorded ───────┴──> Seal ── a reader ends ──> changes(seal): what is not as it was
//!   copied for one reader, verified ────────┘
//! ```
//!
//! A digest at the end cannot tell that other bytes lay there in between; the times that the kernel keeps can, where its
//! clock tells any two changes apart. A seal holds them for each file and folder; of the outermost, whose times `lease`
//! moves, the names count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::at;
use crate::hash::Hashed;
use crate::listed::{Listed, content_of};
use crate::outputs::Stock;
use crate::stat::Stat;
use crate::{Bytes, Digest, Output, Result};

/// What the outputs of a key were at one time. Clones share it.
#[derive(Debug, Clone)]
pub struct Seal(Arc<Sealed>);

#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) folder: PathBuf,
    pub(crate) content: Digest,
    pub(crate) files: Vec<SealedFile>,
    /// Relative paths of the folders below the outermost, with a `/` at the end.
    pub(crate) folders: Vec<(String, Stat)>,
    /// The outermost folder, as it was when its names were known; none where that cannot be told.
    pub(crate) outermost: Option<Stat>,
    /// Whether other files lie there that nobody reads.
    pub(crate) is_part: bool,
}

#[derive(Debug)]
pub(crate) struct SealedFile {
    pub(crate) output: Output,
    pub(crate) stat: Stat,
    /// Whether a coarse clock could hide a change behind this very stat.
    pub(crate) is_young: bool,
}

impl Seal {
    /// The seal of files that were hashed in `folder`; `outermost` is that one, no later than its names were listed.
    pub(crate) fn new(
        folder: PathBuf,
        hashed: impl IntoIterator<Item = (Output, Hashed)>,
        folders: Vec<(String, Stat)>,
        outermost: Option<Stat>,
    ) -> Self {
        let files = sealed(hashed);
        Self(Arc::new(Sealed {
            folder,
            content: content_of(files.iter().map(|file| Listed::from(&file.output))),
            files,
            folders,
            outermost,
            is_part: false,
        }))
    }

    /// The seal of some of the files under a key that holds this in all.
    pub(crate) fn of_part(folder: PathBuf, content: Digest, hashed: Vec<(Output, Hashed)>) -> Self {
        Self(Arc::new(Sealed {
            folder,
            content,
            files: sealed(hashed),
            folders: Vec::new(),
            outermost: None,
            is_part: true,
        }))
    }

    /// What is sealed.
    pub(crate) fn sealed(&self) -> &Sealed {
        &self.0
    }

    /// The digest over paths, sizes and digests of all files.
    pub fn content(&self) -> Digest {
        self.0.content
    }

    /// Whether a file of this path is sealed.
    pub fn holds(&self, path: &str) -> bool {
        self.0.files.iter().any(|file| file.output.path == path)
    }

    /// What the file of this path holds.
    pub fn bytes(&self, path: &str) -> Option<Bytes> {
        let mut files = self.0.files.iter().map(|file| &file.output);
        let Output { size, digest, .. } = files.find(|output| output.path == path)?;
        Some(Bytes {
            digest: *digest,
            size: *size,
        })
    }

    /// A digest that stays while these very files do. Without the device, whose number may change when a machine starts.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.content.as_bytes());
        for SealedFile { stat, .. } in &self.0.files {
            for number in [stat.id.1.cast_signed(), stat.mtime, stat.ctime] {
                hasher.update(&number.to_le_bytes());
            }
        }
        hasher.finalize().into()
    }
}

fn sealed(hashed: impl IntoIterator<Item = (Output, Hashed)>) -> Vec<SealedFile> {
    let seal = |(output, hashed): (Output, Hashed)| SealedFile {
        output,
        stat: hashed.stat,
        is_young: hashed.stat.is_young(hashed.began),
    };
    hashed.into_iter().map(seal).collect()
}

/// What the kernel says of what lies there, if anything does.
pub(crate) fn stat_of(path: &Path) -> Option<Stat> {
    let meta = fs::symlink_metadata(path).ok()?;
    Some(Stat::of(&meta))
}

/// Files that do not belong there, in the outermost folder unless it is as it was, and in those whose names changed; such a
/// folder itself, where all of its files belong there.
pub(crate) fn added(
    folder: &Path,
    files: &[SealedFile],
    folders: &[(String, Stat)],
    outermost: Option<Stat>,
) -> Vec<String> {
    let own: BTreeSet<&str> = files.iter().map(|file| file.output.path.as_str()).collect();
    let mut found = Vec::new();
    let moved = folders
        .iter()
        .filter(|(path, stat)| stat_of(&folder.join(path)) != Some(*stat));
    let is_moved = outermost.is_none() || stat_of(folder) != outermost;
    let outermost = is_moved.then_some("");
    for path in outermost
        .into_iter()
        .chain(moved.map(|(path, _)| path.as_str()))
    {
        let mut tree = Tree::default();
        tree.list(&folder.join(path), path);
        let known = |inner: &String| folders.iter().any(|(known, _)| known == inner);
        let extra: Vec<String> = (tree.files.into_iter())
            .filter(|file| !own.contains(file.as_str()))
            .chain(tree.inner.into_iter().filter(|inner| !known(inner)))
            .collect();
        if extra.is_empty() && !path.is_empty() {
            found.push(path.to_owned());
        }
        found.extend(extra);
    }
    found
}

/// The names below a folder. One that cannot be listed has none; its files then are not found either.
#[derive(Default)]
pub(crate) struct Tree {
    files: Vec<String>,
    /// Folders directly below the last one that was listed.
    inner: Vec<String>,
    pub(crate) folders: Vec<(String, Stat)>,
}

impl Tree {
    fn list(&mut self, folder: &Path, prefix: &str) {
        self.inner.clear();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.inner.push(name + "/");
            } else {
                self.files.push(name);
            }
        }
    }

    pub(crate) fn walk(&mut self, folder: &Path, prefix: &str) {
        self.list(folder, prefix);
        for inner in std::mem::take(&mut self.inner) {
            let path = folder.join(inner.strip_prefix(prefix).unwrap_or(&inner));
            if let Ok(meta) = fs::symlink_metadata(&path) {
                self.folders.push((inner.clone(), Stat::of(&meta)));
            }
            self.walk(&path, &inner);
        }
    }

    pub(crate) fn not_in(&self, outputs: &[Output]) -> Vec<String> {
        let own: BTreeSet<&str> = outputs.iter().map(|output| output.path.as_str()).collect();
        let extra = self
            .files
            .iter()
            .filter(|file| !own.contains(file.as_str()));
        extra.cloned().collect()
    }
}

/// What lies in a folder of outputs and is none of them.
pub(crate) fn added_to(folder: &Path, outputs: &[Output]) -> Vec<String> {
    let mut tree = Tree::default();
    tree.walk(folder, "");
    tree.not_in(outputs)
}

/// The stats of the folders of a stock, but for the outermost.
pub(crate) fn folders_of(out: &Path, stock: &Stock) -> Result<Vec<(String, Stat)>> {
    let inner = stock.folders.iter().filter(|folder| !folder.is_empty());
    let stat = |folder: &String| {
        let path = out.join(folder);
        let meta = fs::symlink_metadata(&path).map_err(at("read", &path))?;
        Ok((folder.clone(), Stat::of(&meta)))
    };
    inner.map(stat).collect()
}
