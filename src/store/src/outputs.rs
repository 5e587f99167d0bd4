//! Takes stock of a folder of outputs before it is committed: which files, their digests, all on the disk.
//! Unaware of which outputs a stage owes, and of where the folder goes.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use rayon::prelude::*;

use crate::atomic::{create_beside, flush_one, parent};
use crate::error::at;
use crate::{Output, Result, Store, StoreError};

/// Above this many files one flush of the whole disk is cheaper than one a file.
const MANY: usize = 32;

/// Threads that flush at once; they wait for the disk, not for a core.
const FLUSHERS: usize = 8;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// Relative paths of the regular files, sorted.
    pub(crate) files: Vec<String>,
    /// Relative paths of the folders, `""` for the outermost.
    folders: Vec<String>,
}

/// Lists all files, and gives hard links bytes of their own. Anything but a regular file or folder is an error.
pub(crate) fn list(out: &Path) -> Result<Stock> {
    if out.is_symlink() {
        let path = out.to_path_buf();
        return Err(StoreError::NotRegular {
            path,
            what: "a symbolic link",
        });
    }
    let mut stock = Stock::default();
    walk(out, "", &mut stock)?;
    stock.files.sort_unstable();
    Ok(stock)
}

fn walk(folder: &Path, prefix: &str, stock: &mut Stock) -> Result<()> {
    stock.folders.push(prefix.to_owned());
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let path = entry.map_err(at("list", folder))?.path();
        let refuse = |what| StoreError::NotRegular {
            path: path.clone(),
            what,
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| refuse("a name that is not UTF-8"))?;
        let relative = format!("{prefix}{name}");
        let meta = fs::symlink_metadata(&path).map_err(at("read", &path))?;
        if meta.is_dir() {
            walk(&path, &format!("{relative}/"), stock)?;
        } else if meta.is_file() {
            unshare(&path, &meta)?;
            stock.files.push(relative);
        } else if meta.is_symlink() {
            return Err(refuse("a symbolic link"));
        } else {
            return Err(refuse("a device, pipe or socket"));
        }
    }
    Ok(())
}

/// Gives a hard link bytes of its own: nobody may write to the cache through another name.
fn unshare(path: &Path, meta: &Metadata) -> Result<()> {
    if meta.nlink() == 1 {
        return Ok(());
    }
    let copy = || -> io::Result<()> {
        let (beside, _) = create_beside(parent(path))?;
        fs::copy(path, &beside)?;
        fs::rename(&beside, path)
    };
    copy().map_err(at("copy", path))
}

/// Hashes all files, on all cores.
pub(crate) fn digest_all(store: &Store, out: &Path, files: &[String]) -> Result<Vec<Output>> {
    let digest = |path: &String| {
        let hashed = store.hash_anew(&out.join(path))?;
        Ok(Output {
            path: path.clone(),
            size: hashed.stat.size,
            digest: hashed.digest,
        })
    };
    files.par_iter().map(digest).collect()
}

/// Puts all files and names under `folder`, its own name, and one file beside them on the disk.
pub(crate) fn flush(folder: &Path, stock: &Stock, beside: &Path) -> Result<()> {
    if stock.files.len() > MANY {
        let disk = File::open(folder).map_err(at("open", folder))?;
        let flushed = rustix::fs::syncfs(&disk).map_err(io::Error::from);
        return flushed.map_err(at("flush", folder));
    }
    let inside = stock.files.iter().chain(&stock.folders);
    let mut all: Vec<PathBuf> = inside.map(|path| folder.join(path)).collect();
    all.extend([parent(folder).to_path_buf(), beside.to_path_buf()]);
    flush_at_once(&all)
}

/// Flushes from several threads: the disk joins what comes at once.
fn flush_at_once(paths: &[PathBuf]) -> Result<()> {
    let flush = |paths: &[PathBuf]| paths.iter().try_for_each(|path| flush_one(path));
    std::thread::scope(|scope| {
        let shares = paths.chunks(paths.len().div_ceil(FLUSHERS).max(1));
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || flush(share)))
            .collect();
        let join = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().try_for_each(join)
    })
}
