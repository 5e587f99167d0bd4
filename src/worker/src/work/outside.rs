//! The files outside the cache that a stage reads: each is what the plan hashed, or an error.
//! Unaware of formats, and of which files a stage reads.
//!
//! ```text
//!   plan:    path ── stat, BLAKE3 ──> key
//!   job:     path ──> size, BLAKE3, as they were when the stage was claimed
//!   worker:  path ── in the job? ──> open ── that size? ──> read whole ── that BLAKE3? ──> bytes ──> decoder
//!                      └ no: error             └ no: error                   └ no: error
//! ```
//!
//! Everything outside that a worker computes from comes through [`Reader`]. A file lies in memory once, and what is decoded
//! are the very bytes that were hashed: what becomes of the file by then, and what its times say, does not matter. Nothing
//! is decoded of a file that differs.
//!
//! Checkpoints and mask files are read once. Of an image the size is looked at first, to see how many fit into memory
//! beside each other; it is read again to be decoded, and hashed both times. Weights of input stages are read whole, and
//! come the same way. Images and masks of stages do not, which a training reads many times over: they are hashed before a
//! stage begins, and sealed while it runs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ::files::{Data, NotAsPlanned};
use spec::{Content, Outside};
use store::Digest;

use super::{WorkError, memory};

/// Reads the files outside that a job names.
#[derive(Clone, Copy)]
pub(super) struct Reader<'j>(Option<&'j BTreeMap<PathBuf, Content>>);

impl<'j> Reader<'j> {
    /// A reader of what a job names.
    pub const fn new(outside: &'j Outside) -> Self {
        match outside {
            Outside::Planned(files) => Self(Some(files)),
            Outside::Any => Self(None),
        }
    }

    /// The bytes of a file of at most `limit` bytes. Errors: those of [`files::read`], and [`NotAsPlanned`] inside one.
    pub fn read(self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let Some(files) = self.0 else {
            return ::files::read(path, limit);
        };
        let other = |error| Err(io::Error::other(error));
        let Some(Content { digest, size }) = files.get(path) else {
            return other(NotAsPlanned::Unknown);
        };
        let there = ::files::open(path)?.metadata()?.len();
        let differs = |found| NotAsPlanned::Size {
            planned: *size,
            found,
        };
        if there != *size {
            return other(differs(there));
        }
        let bytes = ::files::read(path, limit)?;
        let found = Digest::of_many(&bytes).to_string();
        if bytes.len() as u64 != *size {
            return other(differs(bytes.len() as u64));
        }
        if found != *digest {
            let planned = digest.clone();
            return other(NotAsPlanned::Bytes { planned, found });
        }
        Ok(bytes)
    }

    /// A file of any size, whose bytes are held in memory where they have to be those of a plan: they must fit in beside
    /// `more` bytes that are made of them.
    pub fn open(self, path: &Path, more: u64) -> Result<Data, WorkError> {
        let failed = |error: io::Error| {
            let is_changed = NotAsPlanned::is_why(&error);
            let hint = if is_changed { NotAsPlanned::HINT } else { "" };
            WorkError::new(
                format!("cannot read `{}`: {error}", ::files::Name(path)),
                hint,
            )
        };
        let file = ::files::open(path).map_err(failed)?;
        if self.0.is_none() {
            return Ok(file.into());
        }
        let size = file.metadata().map_err(failed)?.len();
        let what = format!("`{}` and what is made of it", ::files::Name(path));
        memory::enough_for(size.saturating_add(more), &what)?;
        Ok(self.read(path, u64::MAX).map_err(failed)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(path: &Path, bytes: &[u8]) -> Outside {
        let content = Content {
            digest: Digest::of(bytes).to_string(),
            size: bytes.len() as u64,
        };
        Outside::Planned(BTreeMap::from([(path.to_owned(), content)]))
    }

    #[test]
    fn a_file_is_what_the_job_says_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let outside = planned(&path, b"good");
        let read = || {
            let error = Reader::new(&outside).read(&path, 99);
            error.map_err(|e| (NotAsPlanned::is_why(&e), e.to_string()))
        };
        assert!(!read().unwrap_err().0, "there is no such file");
        std::fs::write(&path, b"good").unwrap();
        assert_eq!(read(), Ok(b"good".to_vec()));
        std::fs::write(&path, b"evil").unwrap();
        let (is_changed, why) = read().unwrap_err();
        assert!(is_changed && why.contains("its BLAKE3 was"), "{why}");
        std::fs::write(&path, b"good and more").unwrap();
        let (is_changed, why) = read().unwrap_err();
        assert!(is_changed, "{why}");
        assert!(why.ends_with("it had 4 bytes, and has 13"), "{why}");
        let other = folder.path().join("b");
        std::fs::write(&other, b"good").unwrap();
        let error = Reader::new(&outside).read(&other, 99).unwrap_err();
        assert!(NotAsPlanned::is_why(&error), "{error}");
        let any = Reader::new(&Outside::Any).read(&other, 99);
        assert_eq!(any.unwrap(), b"good");
    }

    #[test]
    fn a_whole_file_that_differs_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let outside = planned(&path, b"good");
        std::fs::write(&path, b"evil").unwrap();
        let error = Reader::new(&outside).open(&path, 1).unwrap_err();
        assert_eq!(error.report().what.hint, NotAsPlanned::HINT);
        std::fs::write(&path, b"good").unwrap();
        let data = Reader::new(&outside).open(&path, 1).unwrap();
        std::fs::write(&path, b"evil").unwrap();
        let mut bytes = [0; 4];
        data.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"good");
    }
}
