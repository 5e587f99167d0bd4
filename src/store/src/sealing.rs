//! Sealing the outputs of a key, and telling whether they are as they were sealed.
//! Unaware of who reads them, and of who may have changed them.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::atomic::remove_all;
use crate::clock::{TICK, settle_after};
use crate::copy::copy_all;
use crate::hash::{self, Hashed};
use crate::seal::{Sealed, SealedFile, Tree, added, stat_of};
use crate::stat::{Stat, now};
use crate::{DAMAGED_RECORD, Key, Output, Record, Result, Seal, Status, Store, StoreError};

/// From this many files on all cores look.
const MANY: usize = 64;

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
        let files = seal.sealed().files.iter();
        let outputs: Vec<Output> = files.map(|file| file.output.clone()).collect();
        remove_all(dest)?;
        copy_all(&seal.sealed().folder, &outputs, dest)?;
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
        } = seal.sealed();
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
        let latest = seal.sealed().files.iter().map(|file| file.stat.ctime).max();
        let is_recent = latest.is_some_and(|latest| now().saturating_sub(latest) <= TICK);
        if is_recent && !self.has_fine_clock() {
            settle_after(latest);
        }
    }
}
