//! Hashes a file's bytes, and says which state of the file they were.
//! Unaware of the memo and of the cache. [`file`] reads, never maps: a failing disk or a file cut short is an error, not a
//! signal. [`mapped`] is for files that nobody writes to, where a signal is no worse than the error would be.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use rayon::prelude::*;

use crate::error::at;
use crate::stat::{Stat, now};
use crate::{Digest, Result, StoreError};

/// Bytes that one core hashes as a whole subtree: a power of two.
const PIECE: usize = 1 << 20;

/// Bytes read at once: what is hashed next is still in the core's cache.
const CHUNK: usize = 128 << 10;

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

/// What a file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many there were.
    pub size: u64,
}

/// The stat of a regular file, behind symbolic links if any.
pub(crate) fn stat(path: &Path) -> Result<Stat> {
    let meta = fs::metadata(path).map_err(at("read", path))?;
    check_regular(path, &meta)?;
    Ok(Stat::of(&meta))
}

/// Opens a regular file. A pipe is opened without waiting for its writer, and refused.
fn open(path: &Path) -> Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = File::options();
    let file = options.read(true).custom_flags(flags).open(path);
    let file = file.map_err(at("read", path))?;
    check_regular(path, &file.metadata().map_err(at("read", path))?)?;
    Ok(file)
}

fn check_regular(path: &Path, meta: &Metadata) -> Result<()> {
    if meta.is_file() {
        return Ok(());
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
    for _ in 0..TRIES {
        let file = open(path)?;
        if let Some(hashed) = attempt(&file).map_err(at("read", path))? {
            return Ok(hashed);
        }
    }
    Err(StoreError::Unstable {
        path: path.to_path_buf(),
    })
}

/// What is no file, as it lies there now, with a digest that is known.
pub(crate) fn other(path: &Path, digest: Digest) -> Result<Hashed> {
    let meta = fs::symlink_metadata(path).map_err(at("read", path))?;
    Ok(Hashed {
        stat: Stat::of(&meta),
        digest,
        began: now(),
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
fn attempt(file: &File) -> io::Result<Option<Hashed>> {
    let began = now();
    let stat = Stat::of(&file.metadata()?);
    let digest = bytes_of(file, stat.size);
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
    if size <= PIECE as u64 {
        let mut hasher = blake3::Hasher::new();
        feed(&mut hasher, file, 0..size, &mut buffer(size))?;
        return Ok(hasher.finalize().into());
    }
    let pieces = size.div_ceil(PIECE as u64);
    let hashed = (0..pieces).into_par_iter().map_init(
        || buffer(size),
        |buffer, n| {
            let start = n * PIECE as u64;
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(start);
            let end = size.min(start + PIECE as u64);
            feed(&mut hasher, file, start..end, buffer)?;
            Ok(hasher.finalize_non_root())
        },
    );
    Ok(root(&hashed.collect::<io::Result<Vec<_>>>()?).into())
}

fn buffer(size: u64) -> Vec<u8> {
    vec![0; size.min(CHUNK as u64) as usize]
}

/// Reads a range of the file into the hasher.
fn feed(
    hasher: &mut blake3::Hasher,
    file: &File,
    range: Range<u64>,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut start = range.start;
    while start < range.end {
        let length = (range.end - start).min(buffer.len() as u64);
        let part = &mut buffer[..length as usize];
        file.read_exact_at(part, start)?;
        hasher.update(part);
        start += length;
    }
    Ok(())
}

/// The hash of a file of at least two pieces.
fn root(pieces: &[ChainingValue]) -> blake3::Hash {
    let (left, right) = halves(pieces);
    merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash)
}

fn subtree(pieces: &[ChainingValue]) -> ChainingValue {
    if let [piece] = pieces {
        return *piece;
    }
    let (left, right) = halves(pieces);
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

/// The tree of BLAKE3 (section 2.1 of its paper): the left part is the largest power of two that leaves something.
fn halves(pieces: &[ChainingValue]) -> (&[ChainingValue], &[ChainingValue]) {
    pieces.split_at(pieces.len().next_power_of_two() / 2)
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
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            2 * PIECE,
            2 * PIECE + 1,
            3 * PIECE - 1,
            5 * PIECE,
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
