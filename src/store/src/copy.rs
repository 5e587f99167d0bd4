//! Copies files out of the cache: verified while they are copied, each whole or not at all, with bytes of their own.
//! Unaware of what they are for. Never a link: an edit of the copy must not reach the cache.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::atomic::{create_beside, parent};
use crate::error::{at, at_sized};
use crate::stat::Stat;
use crate::{Key, Output, Record, Result, Store, StoreError, hash, lock};

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

impl Store {
    /// Copies all outputs of a key into the folder `dest`, on all cores, each verified. Shares blocks where the file
    /// system can. Files of these names are replaced, others stay. Returns the copies, in order of the outputs.
    pub fn copy_out(&self, key: &Key, dest: &Path) -> Result<Vec<PathBuf>> {
        let record = self.record_for_copy(key)?;
        copy_all(&self.output_dir(key), &record.outputs, dest)
    }

    /// Copies one output of a key to the file `dest`, verified.
    pub fn restore_file(&self, key: &Key, output_path: &str, dest: &Path) -> Result<()> {
        let (record, folder) = (self.record_for_copy(key)?, self.output_dir(key));
        match record.output(output_path) {
            Some(output) => copy(&folder, output, dest, Put::Over),
            None => Err(StoreError::MissingOutput {
                folder,
                outputs: vec![output_path.to_owned()],
            }),
        }
    }

    /// Copies many outputs, each to its file, which must not be there, on all cores, each verified. Stops at the first error.
    pub fn restore(&self, all: &[(Key, Output, PathBuf)]) -> Result<()> {
        all.par_iter().try_for_each(|(key, output, dest)| {
            copy(&self.output_dir(key), output, dest, Put::Beside)
        })
    }

    /// Waits for the right to put outputs where people see them, and to move aside what lies there. Drop it to end it.
    pub fn lock_places(&self) -> Result<File> {
        lock::wait_alone(&self.layout().places_lock())
    }

    /// Whether the file has the bytes of this output, from the memo while the file does not change.
    pub fn is_copy(&self, path: &Path, output: &Output) -> bool {
        let meta = fs::symlink_metadata(path).ok();
        let meta = meta.filter(|meta| meta.is_file() && meta.len() == output.size);
        let digest = meta.map(|meta| self.digest_of(path, &Stat::of(&meta)));
        digest.is_some_and(|digest| digest.is_ok_and(|digest| digest == output.digest))
    }

    fn record_for_copy(&self, key: &Key) -> Result<Record> {
        self.record(key)?.ok_or(StoreError::Absent { key: *key })
    }
}

/// Copies these files of a folder into another, on all cores.
pub(crate) fn copy_all(from: &Path, outputs: &[Output], dest: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dest).map_err(at("create", dest))?;
    let copy = |output: &Output| {
        let to = dest.join(&output.path);
        copy(from, output, &to, Put::Over).map(|()| to)
    };
    outputs.par_iter().map(copy).collect()
}

/// What becomes of a file at the destination.
#[derive(Clone, Copy)]
enum Put {
    /// It is replaced.
    Over,
    /// It stays, and the copy is an error: somebody has just put it there.
    Beside,
}

/// Copies one file beside its destination and renames it, unless its bytes are not those of its digest.
fn copy(folder: &Path, output: &Output, dest: &Path, put: Put) -> Result<()> {
    let from = folder.join(&output.path);
    let source = files::open(&from).map_err(at("read", &from))?;
    let to = parent(dest);
    let created = match create_beside(to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(to).map_err(at("create", to))?;
            create_beside(to)
        }
        other => other,
    };
    let (beside, target) = created.map_err(at("write in", to))?;
    let done = fill(&source, &target, &beside, output)
        .and_then(|is_good| {
            if is_runnable(&source.metadata()?.permissions()) {
                make_runnable(&beside)?;
            }
            Ok(is_good)
        })
        .map_err(at_sized("write", dest, Some(output.size)))
        .and_then(|is_good| {
            if is_good {
                rename(&beside, dest, put).map_err(at("rename to", dest))
            } else {
                Err(StoreError::DamagedOutput { path: from })
            }
        });
    if done.is_err() {
        let _ = fs::remove_file(&beside); // the first error is the one to tell
    }
    done
}

fn rename(from: &Path, to: &Path, put: Put) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if matches!(put, Put::Over) {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that does not know how.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(from, to),
        other => Ok(other?),
    }
}

/// Whether the copy has the bytes of the digest. A copy that shares blocks is read for that.
fn fill(source: &File, target: &File, beside: &Path, output: &Output) -> io::Result<bool> {
    if source.metadata()?.len() != output.size {
        return Ok(false);
    }
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        let hashed = hash::file(beside).map_err(|e| io::Error::other(e.to_string()))?;
        return Ok(hashed.digest == output.digest);
    }
    let (size, digest) = pump(source, target)?;
    Ok(size == output.size && digest == output.digest)
}

/// Whether its owner may run a file.
pub(crate) fn is_runnable(permissions: &Permissions) -> bool {
    permissions.mode() & 0o100 != 0
}

/// Lets a program be run by whoever may read it. Its other permissions stay those of any new file: what a stage left
/// unreadable or unwritable is so in the cache alone.
pub(crate) fn make_runnable(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

/// Copies to the end; what went through.
pub(crate) fn pump(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, crate::Digest)> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = Vec::new();
    let mut total = 0;
    loop {
        chunk.clear();
        let read = from.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if read == 0 {
            return Ok((total, hasher.finalize().into()));
        }
        if read < CHUNK {
            hasher.update(&chunk);
        } else {
            hasher.update_rayon(&chunk);
        }
        to.write_all(&chunk)?;
        total += read as u64;
    }
}
