//! What results hold, decoded, by the content that it was made from: it spares time, and nothing is lost with it.
//! Unaware of what is in the files, and of how they are verified: who reads them knows.
//!
//! ```text
//!   cache/decoded/<aa>/<content>          read under a shared lock; its mtime is when it was last used
//!                /<aa>/<content>.making   written under a lock, then renamed; who is killed leaves it to the next one
//!
//!   there and whole? ── yes ──────────────────────────────────────────────> read it
//!        │ no                                                    ^
//!        └──> lock of `.making`, waiting for whoever has it ──> there and whole now? ── no ──> write, rename, read it
//! ```
//!
//! All who read share one file, and so the pages of it that the kernel holds. A clean-up takes the lock alone: it leaves
//! what is being read, and what was used lately.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::at;
use crate::lock;
use crate::space::free_bytes;
use crate::tree::inside_shards;
use crate::{Digest, Result, StoreError};

/// The folder of these files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedRoom(PathBuf);

/// A file, or the right to make it.
#[derive(Debug)]
pub enum Decoded<T> {
    /// What was made of the file that is there.
    There(T),
    /// There is none, and nobody else makes one.
    ToMake(Making),
}

/// A file in the making. Dropped before it is done, it is removed.
#[derive(Debug)]
pub struct Making {
    file: File,
    path: PathBuf,
    to: PathBuf,
}

impl DecodedRoom {
    /// The room of this folder, which need not be there.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Where the file of a content lies, once it is there.
    pub fn path(&self, content: &Digest) -> PathBuf {
        let name = content.to_string();
        self.0.join(&name[..2]).join(name)
    }

    /// The files that are there, by content, in order; none of those in the making.
    pub fn files(&self) -> Vec<(Digest, PathBuf)> {
        let files = inside_shards(&self.0).into_iter();
        let named = files.filter_map(|path| {
            let content: Digest = path.file_name()?.to_str()?.parse().ok()?;
            (self.path(&content) == path).then_some((content, path))
        });
        let mut files: Vec<(Digest, PathBuf)> = named.collect();
        files.sort();
        files
    }

    /// Bytes of the disk that stay free whatever is decoded: others write there too.
    pub const LEFT: u64 = 1 << 30;

    /// The bytes that are free, where so many more do not fit beside [`DecodedRoom::LEFT`].
    pub fn shortage(&self, bytes: u64) -> Option<u64> {
        shortage(free_bytes(&self.0), bytes)
    }

    /// The file of a content as `read` sees it, which says `None` of one that is not whole. Else the right to make it;
    /// `waits` is called before waiting for another process that does, `go_on` again and again while it lasts.
    /// Errors: where files cannot be made or locked, and that of `go_on`, which ends the wait.
    pub fn open<T, E: From<StoreError>>(
        &self,
        content: &Digest,
        read: impl Fn(File) -> Option<T>,
        waits: impl FnOnce(),
        go_on: impl FnMut() -> Result<(), E>,
    ) -> Result<Decoded<T>, E> {
        let to = self.path(content);
        let there = || opened(&to).and_then(&read);
        if let Some(found) = there() {
            return Ok(Decoded::There(found));
        }
        let path = to.with_extension(MAKING);
        let file = lock::wait_named(&path, waits, go_on)?;
        // Somebody may have made it between the look and the lock.
        if let Some(found) = there() {
            let _ = fs::remove_file(&path); // made by us just now, or left by one who was killed
            return Ok(Decoded::There(found));
        }
        // What one who was killed has written is room on the disk: whoever asks how much is free counts it then.
        file.set_len(0).map_err(at("empty", &path))?;
        Ok(Decoded::ToMake(Making { file, path, to }))
    }
}

/// What is free, where that is known and too little for so many more bytes.
fn shortage(free: Option<u64>, bytes: u64) -> Option<u64> {
    free.filter(|free| *free < bytes.saturating_add(DecodedRoom::LEFT))
}

/// How the name of a file in the making ends.
const MAKING: &str = "making";

/// A file under a shared lock, marked as used now. `None` where there is none that can be read.
fn opened(path: &Path) -> Option<File> {
    loop {
        // Locks over a network need it open for writing; a cache may be one that we only read.
        let writable = files::open_with(File::options().read(true).write(true), path);
        let file = writable.or_else(|_| files::open(path)).ok()?;
        file.lock_shared().ok()?;
        if lock::is_named(&file, path).ok()? {
            let _ = file.set_modified(SystemTime::now());
            return Some(file);
        }
    }
}

impl Making {
    /// The file to write, of which nothing is to be kept.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// The same file, opened so that what is written passes by the kernel's page cache. Errors: there is no such way to this disk.
    pub fn direct(&self) -> io::Result<File> {
        let file = files::open_direct(&self.path)?;
        let is_it = |file| lock::is_named(file, &self.path).map_err(io::Error::other);
        if is_it(&self.file)? && is_it(&file)? {
            Ok(file)
        } else {
            Err(io::Error::other("somebody has replaced it"))
        }
    }

    /// Gives the file its name. It stays locked for reading while a copy of its descriptor is open.
    pub fn done(self) -> Result<()> {
        fs::rename(&self.path, &self.to).map_err(at("rename", &self.path))?;
        self.file.lock_shared().map_err(at("lock", &self.to))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // Under its own lock: whoever waits for it sees that it has lost its name.
        if lock::is_named(&self.file, &self.path).unwrap_or(false) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The lock that keeps others from opening a file, while a clean-up takes it away. `None` where somebody reads or writes it:
/// readers share theirs, so to find them a clean-up that only looks asks for it alone too.
pub(crate) fn unused(path: &Path) -> Option<File> {
    let file = lock::open_to_ask(path).ok()??;
    file.try_lock().ok()?;
    lock::is_named(&file, path).ok()?.then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_leaves_something_to_others() {
        let more = DecodedRoom::LEFT + 7;
        assert_eq!(shortage(Some(more), 7), None);
        assert_eq!(shortage(Some(more), 8), Some(more));
        assert_eq!(shortage(Some(more), u64::MAX), Some(more));
        assert_eq!(shortage(None, u64::MAX), None);
        let folder = tempfile::tempdir().unwrap();
        let room = DecodedRoom::new(&folder.path().join("not/yet/there"));
        assert!(room.shortage(u64::MAX).is_some());
    }
}
