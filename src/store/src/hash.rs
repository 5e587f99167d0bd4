//! Hashes a file's bytes, and says which state of the file they were.
//! Unaware of the memo and of the cache. [`file`] reads, never maps: a failing disk or a file cut short is an error, not a
//! signal. [`mapped`] is for files that nobody writes to, where a signal is no worse than the error would be.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

use crate::error::at;
use crate::stat::{Stat, now};
use crate::{Digest, Result, StoreError};

/// Bytes read at once.
const CHUNK: u64 = 8 << 20;

/// A chunk at least this long is read and hashed by all cores.
const PARALLEL: usize = 1 << 20;

/// Bytes that one core reads at once.
const PIECE: usize = 256 << 10;

/// From this size on a map is faster than reads.
const MAPPED: u64 = 16 << 20;

/// How often a file that changes under our eyes is read again.
const TRIES: usize = 3;

/// A digest, the stat of the file while it was read, and when that began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed {
    pub(crate) stat: Stat,
    pub(crate) digest: Digest,
    pub(crate) began: i64,
}

/// The stat of a regular file, behind symbolic links if any.
pub(crate) fn stat(path: &Path) -> Result<Stat> {
    let meta = fs::metadata(path).map_err(at("read", path))?;
    if meta.is_file() {
        return Ok(Stat::of(&meta));
    }
    let what = if meta.is_dir() {
        "a folder"
    } else {
        "a device, pipe or socket"
    };
    Err(StoreError::NotRegular {
        path: path.to_path_buf(),
        what,
    })
}

/// Reads and hashes a regular file.
pub(crate) fn file(path: &Path) -> Result<Hashed> {
    stat(path)?; // opening a pipe would wait for its writer
    for _ in 0..TRIES {
        if let Some(hashed) = attempt(path).map_err(at("read", path))? {
            return Ok(hashed);
        }
    }
    Err(StoreError::Unstable {
        path: path.to_path_buf(),
    })
}

/// As [`file`], through a memory map from 16 MiB on. A disk that fails under a map, or a file that is cut short, kills the
/// process by SIGBUS instead of an error: accepted where the whole purpose is to find such disks, all results lie
/// committed, and the same command continues after the disk is replaced.
pub(crate) fn mapped(path: &Path) -> Result<Hashed> {
    let size = stat(path)?.size;
    if size < MAPPED {
        return file(path);
    }
    let began = now();
    let mut hasher = blake3::Hasher::new();
    let hashed = hasher.update_mmap_rayon(path).map(|h| h.finalize().into());
    Ok(Hashed {
        digest: hashed.map_err(at("read", path))?,
        stat: stat(path)?,
        began,
    })
}

/// `None` when the file changed meanwhile.
fn attempt(path: &Path) -> io::Result<Option<Hashed>> {
    let began = now();
    let file = File::open(path)?;
    let stat = Stat::of(&file.metadata()?);
    let digest = bytes_of(&file, stat.size);
    if Stat::of(&file.metadata()?) != stat {
        return Ok(None);
    }
    digest.map(|digest| {
        Some(Hashed {
            stat,
            digest,
            began,
        })
    })
}

/// A file that ends early has changed: its stat will say so.
fn bytes_of(file: &File, size: u64) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; size.min(CHUNK) as usize];
    let mut start = 0;
    while start < size {
        let part = &mut chunk[..(size - start).min(CHUNK) as usize];
        if part.len() < PARALLEL {
            file.read_exact_at(part, start)?;
            hasher.update(part);
        } else {
            read_on_all_cores(file, part, start)?;
            hasher.update_rayon(part);
        }
        start += part.len() as u64;
    }
    Ok(hasher.finalize().into())
}

/// Fills `part` from the file at `start`: several reads at once keep a disk or a server busy.
fn read_on_all_cores(file: &File, part: &mut [u8], start: u64) -> io::Result<()> {
    let pieces = part.par_chunks_mut(PIECE).enumerate();
    pieces
        .map(|(n, piece)| file.read_exact_at(piece, start + (n * PIECE) as u64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_hashes_as_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [
            0,
            1,
            1 << 10,
            PARALLEL - 1,
            PARALLEL,
            CHUNK as usize,
            CHUNK as usize + 1,
            9_000_000,
        ] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(
                file(&path).unwrap().digest,
                Digest::of(&bytes),
                "{size} bytes"
            );
        }
    }

    #[test]
    fn folders_and_pipes_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            file(folder.path())
                .unwrap_err()
                .to_string()
                .contains("is a folder")
        );
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(
            file(&pipe)
                .unwrap_err()
                .to_string()
                .contains("a device, pipe or socket")
        );
    }
}
