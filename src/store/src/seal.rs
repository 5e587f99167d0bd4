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
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::atomic::{create_beside, remove_all};
use crate::copy::copy_all;
use crate::error::at;
use crate::hash::{self, Hashed};
use crate::index::Listed;
use crate::made::content_of;
use crate::outputs::Stock;
use crate::stat::{Stat, now};
use crate::{
    Bytes, DAMAGED_RECORD, Digest, Key, Output, Record, Result, Status, Store, StoreError,
};

/// From this many files on all cores look.
const MANY: usize = 64;

/// The coarsest clock by which kernels of today stamp files (100 Hz).
const TICK: i64 = 10_000_000;

/// What the outputs of a key were at one time. Clones share it.
#[derive(Debug, Clone)]
pub struct Seal(Arc<Sealed>);

#[derive(Debug)]
struct Sealed {
    folder: PathBuf,
    content: Digest,
    files: Vec<SealedFile>,
    /// Relative paths of the folders below the outermost, with a `/` at the end.
    folders: Vec<(String, Stat)>,
    /// The outermost folder, as it was when its names were known; none where that cannot be told.
    outermost: Option<Stat>,
    /// Whether other files lie there that nobody reads.
    is_part: bool,
}

#[derive(Debug)]
struct SealedFile {
    output: Output,
    stat: Stat,
    /// Whether a coarse clock could hide a change behind this very stat.
    is_young: bool,
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
    fn of_part(folder: PathBuf, content: Digest, hashed: Vec<(Output, Hashed)>) -> Self {
        Self(Arc::new(Sealed {
            folder,
            content,
            files: sealed(hashed),
            folders: Vec::new(),
            outermost: None,
            is_part: true,
        }))
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

impl Store {
    /// The seal of a committed key, also of one that this process has committed and that is not published yet. Bytes are
    /// read unless this process knows them as they lie there. What is wrong with the key where there is no seal.
    pub fn seal(&self, key: &Key) -> std::result::Result<Seal, Status> {
        let known = self.known_seal(key);
        match known.filter(|seal| self.changes(seal).is_empty()) {
            Some(seal) => Ok(seal),
            None => self.seal_anew(key),
        }
    }

    /// As [`Store::seal`], by every byte, and by every name in the folders.
    pub fn seal_anew(&self, key: &Key) -> std::result::Result<Seal, Status> {
        let record = self.record_to_seal(key)?;
        let folder = self.output_dir(key);
        let seal = self.read_and_seal(folder, record.outputs)?;
        self.remember_seal(*key, seal.clone());
        Ok(seal)
    }

    /// Whether a result is not what was stored, by its state on the disk and by every byte.
    pub fn is_broken(&self, key: &Key) -> bool {
        !matches!(self.presence(key), Status::Fresh(_)) || self.seal_anew(key).is_err()
    }

    /// As [`Store::seal`], of one file alone, which is read in any case. Its content is that of all outputs, as recorded.
    pub fn seal_file(&self, key: &Key, file: &str) -> std::result::Result<Seal, Status> {
        let known = self.known_seal(key);
        if let Some(seal) = known.filter(|seal| self.changes(seal).is_empty()) {
            return Ok(seal);
        }
        let record = self.record_to_seal(key)?;
        let content = record.content();
        let output = record
            .outputs
            .into_iter()
            .find(|output| output.path == file);
        let output = output.ok_or_else(|| Status::Missing(vec![file.to_owned()]))?;
        let folder = self.output_dir(key);
        let files = self.read_each(&folder, vec![output])?;
        Ok(Seal::of_part(folder, content, files))
    }

    fn record_to_seal(&self, key: &Key) -> std::result::Result<Record, Status> {
        match self.record(key) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Status::Absent),
            Err(_) => Err(Status::Damaged(vec![DAMAGED_RECORD.to_owned()])),
        }
    }

    /// Copies what is sealed into the new folder `dest`, each file verified, for a reader that may have changed the
    /// files themselves. The seal is that of the copies.
    pub fn seal_copy(&self, seal: &Seal, dest: &Path) -> Result<Seal> {
        let files = seal.0.files.iter();
        let outputs: Vec<Output> = files.map(|file| file.output.clone()).collect();
        remove_all(dest)?;
        copy_all(&seal.0.folder, &outputs, dest)?;
        let damaged = |_| StoreError::DamagedOutput {
            path: dest.to_path_buf(),
        };
        self.read_and_seal(dest.to_path_buf(), outputs)
            .map_err(damaged)
    }

    fn read_and_seal(
        &self,
        folder: PathBuf,
        outputs: Vec<Output>,
    ) -> std::result::Result<Seal, Status> {
        let outermost = stat_of(&folder);
        let mut tree = Tree::default();
        tree.walk(&folder, "");
        let extra = tree.not_in(&outputs);
        if !extra.is_empty() {
            return Err(Status::Damaged(extra));
        }
        let files = self.read_each(&folder, outputs)?;
        Ok(Seal::new(folder, files, tree.folders, outermost))
    }

    /// Reads all bytes of these files, which have to be those of their record.
    fn read_each(
        &self,
        folder: &Path,
        outputs: Vec<Output>,
    ) -> std::result::Result<Vec<(Output, Hashed)>, Status> {
        let read = |output: Output| {
            let path = folder.join(&output.path);
            let hashed = if output.kind.is_file() {
                self.hash_anew(&path)
            } else {
                hash::other(&path, output.digest)
            };
            (output, hashed)
        };
        let read: Vec<(Output, Result<Hashed>)> = if outputs.len() < MANY {
            outputs.into_iter().map(read).collect()
        } else {
            outputs.into_par_iter().map(read).collect()
        };
        let (mut good, mut missing, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        for (output, hashed) in read {
            let path = folder.join(&output.path);
            let meta = fs::symlink_metadata(&path);
            let fits = meta
                .as_ref()
                .is_ok_and(|meta| output.kind.as_deref().fits(&path, meta));
            match hashed {
                Ok(hashed) if hashed.digest == output.digest && fits => {
                    good.push((output, hashed));
                }
                Err(e) if e.is_not_found() && meta.is_err() => missing.push(output.path),
                _ => damaged.push(output.path),
            }
        }
        match (damaged.is_empty(), missing.is_empty()) {
            (false, _) => Err(Status::Damaged(damaged)),
            (true, false) => Err(Status::Missing(missing)),
            (true, true) => Ok(good),
        }
    }

    /// What is not as it was sealed: files that changed, whatever their bytes are now, files that are gone, files that
    /// were added. Empty means that whoever read only these files in between read the bytes of the record.
    pub fn changes(&self, seal: &Seal) -> Vec<String> {
        let Sealed {
            folder,
            files,
            folders,
            outermost,
            is_part,
            ..
        } = &*seal.0;
        let is_fine = self.has_fine_clock();
        let changed = |file: &SealedFile| {
            let path = folder.join(&file.output.path);
            let same = match fs::symlink_metadata(&path) {
                Ok(meta) => {
                    let is_sure = is_fine || !file.is_young;
                    Stat::of(&meta) == file.stat && (is_sure || self.is_still(&path, file))
                }
                Err(_) => false,
            };
            (!same).then(|| file.output.path.clone())
        };
        let mut found: Vec<String> = if files.len() < MANY {
            files.iter().filter_map(changed).collect()
        } else {
            files.par_iter().filter_map(changed).collect()
        };
        if !is_part {
            let listed = outermost.filter(|_| is_fine);
            found.extend(added(folder, files, folders, listed));
        }
        found
    }

    /// The bytes of a file whose stat is as it was, and may be so by chance.
    fn is_still(&self, path: &Path, file: &SealedFile) -> bool {
        if !file.output.kind.is_file() {
            let meta = fs::symlink_metadata(path);
            return meta.is_ok_and(|meta| file.output.kind.as_deref().fits(path, &meta));
        }
        let digest = self.digest_of(path, &file.stat);
        digest.is_ok_and(|digest| digest == file.output.digest)
    }

    /// Waits, where the clock of the cache's disk is coarse, until a change of what is sealed would show in its times.
    pub fn settle(&self, seal: &Seal) {
        let latest = seal.0.files.iter().map(|file| file.stat.ctime).max();
        let is_recent = latest.is_some_and(|latest| now().saturating_sub(latest) <= TICK);
        if is_recent && !self.has_fine_clock() {
            settle_after(latest);
        }
    }
}

/// Waits until a coarse clock has ticked since the latest change.
pub(crate) fn settle_after(latest: Option<i64>) {
    let Some(latest) = latest else { return };
    let begin = Instant::now();
    // A server's clock may be ahead; then the bytes are read again behind, as those of every young file are.
    while now().saturating_sub(latest) <= TICK && begin.elapsed() < Duration::from_millis(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether two changes of a file get times that differ however close they are, if somebody asked for the times between
/// them: Linux does so from 6.13 on. Tried out, because it depends on the file system too.
pub(crate) fn probe_clock(folder: &Path) -> bool {
    let Ok((path, mut file)) = create_beside(folder) else {
        return false;
    };
    let mut change = || {
        file.write_all(b"x").ok()?;
        Some(Stat::of(&file.metadata().ok()?).ctime)
    };
    let times: Option<Vec<i64>> = (0..8).map(|_| change()).collect();
    let _ = fs::remove_file(&path);
    times.is_some_and(|times| times.is_sorted_by(|a, b| a < b))
}

/// What the kernel says of what lies there, if anything does.
pub(crate) fn stat_of(path: &Path) -> Option<Stat> {
    let meta = fs::symlink_metadata(path).ok()?;
    Some(Stat::of(&meta))
}

/// Files that do not belong there, in the outermost folder unless it is as it was, and in those whose names changed; such a
/// folder itself, where all of its files belong there.
fn added(
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
struct Tree {
    files: Vec<String>,
    /// Folders directly below the last one that was listed.
    inner: Vec<String>,
    folders: Vec<(String, Stat)>,
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

    fn walk(&mut self, folder: &Path, prefix: &str) {
        self.list(folder, prefix);
        for inner in std::mem::take(&mut self.inner) {
            let path = folder.join(inner.strip_prefix(prefix).unwrap_or(&inner));
            if let Ok(meta) = fs::symlink_metadata(&path) {
                self.folders.push((inner.clone(), Stat::of(&meta)));
            }
            self.walk(&path, &inner);
        }
    }

    fn not_in(&self, outputs: &[Output]) -> Vec<String> {
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
