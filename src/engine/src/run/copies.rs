//! Folders with copies of inputs that commands have read, for those that come next: files are written over, not made anew.
//! Unaware of which inputs go where.
//!
//! ```text
//!   <ticket>/out/<role>/    copies, one file a time ──> the command ends ──> as it was made? ── aside ──┐
//!        ^── renamed, old copies written over or removed ────────────────────────────────────────────── ┘
//! ```
//!
//! To make a folder with a file and to delete both takes as long as a short command. ext4 without a journal takes longer
//! and longer, as it passes over every inode that was freed in the last minutes; and a disk that is told of each block that
//! becomes free is waited for.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use store::Ticket;

/// So many folders are kept at most.
const MOST_FOLDERS: usize = 64;

/// Of a folder with more files than these none is kept.
const MOST_FILES: usize = 8;

/// A larger file is not kept: the disk has a use for its room.
const MOST_BYTES: u64 = 1 << 20;

/// Folders that a run has to hand on.
#[derive(Debug, Default)]
pub struct Copies(Mutex<Vec<Kept>>);

/// A folder that was set aside, with nothing in it but these files.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    access: Access,
    files: Vec<PathBuf>,
}

/// Mode and owner.
type Access = (u32, u32, u32);

/// The folders of one stage, and what of earlier copies lies in them.
#[derive(Debug, Default)]
pub(super) struct Placed {
    folders: BTreeMap<PathBuf, Access>,
    old: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Copies {
    /// Makes a folder of inputs: one that was kept, or a new one.
    pub(super) fn folder(&self, at: &Path, placed: &mut Placed) -> io::Result<()> {
        placed.make_way(at)?;
        fs::create_dir_all(at.parent().unwrap_or(at))?;
        if fs::symlink_metadata(at).is_err()
            && let Some(kept) = self.all().pop()
            && fs::rename(&kept.path, at).is_ok()
        {
            let names = kept.files.iter().filter_map(|path| path.file_name());
            let old = names.map(|name| at.join(name)).collect();
            placed.old.insert(at.to_owned(), old);
            placed.folders.insert(at.to_owned(), kept.access);
            return Ok(());
        }
        fs::create_dir_all(at)?;
        let access = access(&fs::symlink_metadata(at)?);
        placed.folders.insert(at.to_owned(), access);
        Ok(())
    }

    /// Takes away what the command does not keep of its folder; a folder of inputs that is as it was made goes to others.
    pub(super) fn discard(
        &self,
        ticket: &Ticket,
        path: &Path,
        placed: &Placed,
    ) -> store::Result<()> {
        let made = placed.folders.get(path).filter(|_| {
            // Else something may live that has its files open.
            ticket.has_scratch() && self.all().len() < MOST_FOLDERS
        });
        let kept = made.and_then(|access| {
            let files = plain_files(path, *access)?;
            let path = ticket.set_aside(path).ok()?;
            Some(Kept {
                path,
                access: *access,
                files,
            })
        });
        match kept {
            Some(kept) => self.all().push(kept),
            None => drop(ticket.discard(path)?),
        }
        Ok(())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for kept in self.all().drain(..) {
            let _ = fs::remove_dir_all(kept.path); // it is swept when the cache is opened next
        }
    }
}

impl Placed {
    /// A copy at `to`: bytes, permissions, and the time of the last write, what a program could see of the file itself.
    pub fn copy(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut source = File::open(from)?;
        let meta = source.metadata()?;
        let old = self.written_over(to);
        let is_old = old.is_some();
        let mut target = old.map_or_else(|| File::create_new(to), Ok)?;
        let bytes = io::copy(&mut source, &mut target)?; // shares blocks where the file system can
        if is_old {
            target.set_len(bytes)?;
        }
        target.set_permissions(meta.permissions())?;
        target.set_times(FileTimes::new().set_modified(meta.modified()?))
    }

    /// An old copy in the same folder, which has the name from now on.
    fn written_over(&mut self, to: &Path) -> Option<File> {
        let old = self.old.get_mut(to.parent()?)?;
        let same = old.iter().position(|path| path == to);
        let path = old.swap_remove(same.unwrap_or(old.len().checked_sub(1)?));
        let opened = File::options().write(true).open(&path).ok();
        let renamed = opened.filter(|_| path == to || fs::rename(&path, to).is_ok());
        if renamed.is_none() {
            let _ = fs::remove_file(&path); // what stays is in the way of the next copy, which says so
        }
        renamed
    }

    /// Removes old copies that are in the way of something else at this path.
    pub fn make_way(&mut self, to: &Path) -> io::Result<()> {
        for old in self.old.values_mut() {
            if let Some(at) = old.iter().position(|path| to.starts_with(path)) {
                fs::remove_file(old.swap_remove(at))?;
            }
        }
        Ok(())
    }

    /// Removes the old copies that nothing was written over.
    pub fn remove_old(&mut self) -> io::Result<()> {
        let old = std::mem::take(&mut self.old);
        old.into_values().flatten().try_for_each(fs::remove_file)
    }
}

fn access(meta: &Metadata) -> Access {
    (meta.mode(), meta.uid(), meta.gid())
}

/// The files of a folder with nothing else in it, each with one name, without attributes, and its owner's: nobody has a use
/// for them any more.
fn plain_files(folder: &Path, made: Access) -> Option<Vec<PathBuf>> {
    let meta = fs::symlink_metadata(folder).ok()?;
    if access(&meta) != made || !meta.is_dir() || has_attributes(folder) {
        return None;
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        let meta = fs::symlink_metadata(&path).ok()?;
        let owner = (meta.uid(), meta.gid());
        let is_plain = meta.is_file() && meta.nlink() == 1 && owner == (made.1, made.2);
        if !is_plain
            || meta.len() > MOST_BYTES
            || has_attributes(&path)
            || files.len() == MOST_FILES
        {
            return None;
        }
        files.push(path);
    }
    Some(files)
}

fn has_attributes(path: &Path) -> bool {
    let no_bytes: &mut [u8] = &mut [];
    !rustix::fs::llistxattr(path, no_bytes).is_ok_and(|length| length == 0)
}
