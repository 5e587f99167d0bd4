//! Copies files out of the cache: verified while they are copied, each whole or not at all, with bytes of their own.
//! Unaware of what they are for. Never a link into the cache: an edit of the copy must not reach it. A link that a stage
//! left, which stays inside its folder, is made again as it is.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::atomic::{UNFINISHED, create_beside, create_unique, parent};
use crate::error::{at, at_sized};
use crate::output::is_program;
use crate::stat::Stat;
use crate::{Digest, Key, Output, OutputKind, Record, Result, Store, StoreError, hash, lock};

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

impl Store {
    /// Copies all outputs of a key into the folder `dest`, on all cores, each verified. Shares blocks where the file
    /// system can. Files of these names are replaced, and links where they have folders; others stay. Returns the copies, in
    /// order of the outputs.
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

    /// Whether what lies at `path` is this output: a file with its bytes (from the memo while the file does not change), a
    /// link to the same path, a folder. Who may run a file does not count.
    pub fn is_copy(&self, path: &Path, output: &Output) -> bool {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return false;
        };
        if !output.kind.is_file() {
            return output.kind.as_deref().fits(path, &meta);
        }
        let is_like = meta.is_file() && meta.len() == output.size;
        let is_same = |digest: Result<Digest>| digest.is_ok_and(|digest| digest == output.digest);
        is_like && is_same(self.digest_of(path, &Stat::of(&meta)))
    }

    /// As [`Store::is_copy`], and a program can be run.
    pub fn is_whole_copy(&self, path: &Path, output: &Output) -> bool {
        let can_run = || fs::symlink_metadata(path).is_ok_and(|meta| is_program(&meta));
        self.is_copy(path, output) && (output.kind != OutputKind::Executable || can_run())
    }

    fn record_for_copy(&self, key: &Key) -> Result<Record> {
        self.record(key)?.ok_or(StoreError::Absent { key: *key })
    }
}

/// Copies these outputs from one folder into another, on all cores. Links that lie there already are replaced, also where
/// the outputs have a folder: no output lies behind a link of its own record, so what is found there is of another one, and
/// two outputs would meet behind it.
pub(crate) fn copy_all(from: &Path, outputs: &[Output], dest: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dest).map_err(at("create", dest))?;
    for output in outputs {
        while let Some(link) = link_in_place_of_folder(dest, output) {
            fs::remove_file(&link).map_err(at("remove", &link))?;
        }
    }
    let copy = |output: &Output| {
        let to = dest.join(&output.path);
        copy(from, output, &to, Put::Over).map(|()| to)
    };
    outputs.par_iter().map(copy).collect()
}

/// The first link that lies below `dest` where an output has a folder: on the way to it, or itself where it is one.
pub fn link_in_place_of_folder(dest: &Path, output: &Output) -> Option<PathBuf> {
    let on_the_way = output.path.match_indices('/').map(|(at, _)| at);
    let itself = (output.kind == OutputKind::Folder).then_some(output.path.len());
    for at in on_the_way.chain(itself) {
        let folder = dest.join(&output.path[..at]);
        let meta = fs::symlink_metadata(&folder).ok()?; // it is made, and all below it
        if meta.is_symlink() {
            return Some(folder);
        }
    }
    None
}

/// What becomes of what lies at the destination.
#[derive(Clone, Copy)]
enum Put {
    /// A file or link is replaced, a folder where an empty one belongs stays.
    Over,
    /// It stays, and the copy is an error: somebody has just put it there.
    Beside,
}

/// Copies one output, unless what lies in the folder is not what its record says.
fn copy(folder: &Path, output: &Output, dest: &Path, put: Put) -> Result<()> {
    let from = folder.join(&output.path);
    if output.kind.is_file() {
        return copy_file(from, output, dest, put);
    }
    let meta = fs::symlink_metadata(&from).map_err(at("read", &from))?;
    if !output.kind.as_deref().fits(&from, &meta) {
        return Err(StoreError::DamagedOutput { path: from });
    }
    match &output.kind {
        OutputKind::Link(to) => link(to, dest, put),
        _ => fs::create_dir_all(dest).map_err(at("create", dest)),
    }
}

/// Makes a link beside its destination and renames it.
fn link(to: &str, dest: &Path, put: Put) -> Result<()> {
    let made = in_folder_of(dest, |folder| {
        create_unique(folder, UNFINISHED, |path| symlink(to, path))
    });
    let (beside, ()) = made?;
    let done = rename(&beside, dest, put).map_err(at("rename to", dest));
    if done.is_err() {
        let _ = fs::remove_file(&beside); // the first error is the one to tell
    }
    done
}

/// Does something in the folder of `path`, which is made where it is missing.
fn in_folder_of<T>(path: &Path, create: impl Fn(&Path) -> io::Result<T>) -> Result<T> {
    let folder = parent(path);
    let created = match create(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(at("create", folder))?;
            create(folder)
        }
        other => other,
    };
    created.map_err(at("write in", folder))
}

/// Copies one file beside its destination and renames it, unless its bytes are not those of its digest.
fn copy_file(from: PathBuf, output: &Output, dest: &Path, put: Put) -> Result<()> {
    let source = files::open(&from).map_err(at("read", &from))?;
    let (beside, target) = in_folder_of(dest, create_beside)?;
    let done = fill(&source, &target, &beside, output)
        .and_then(|is_good| {
            // A record of format 1 does not say it.
            if output.kind == OutputKind::Executable || is_program(&source.metadata()?) {
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

/// Lets a program be run by whoever may read it. Its other permissions stay those of any new file: what a stage left
/// unreadable or unwritable is so in the cache alone.
pub(crate) fn make_runnable(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

/// Copies to the end; what went through.
pub(crate) fn pump(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, Digest)> {
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
