//! Takes stock of a folder of outputs before it is committed: which files, their digests, all on the disk.
//! Unaware of which outputs a stage owes, and of where the folder goes.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::atomic::{create_beside, flush_file, flush_folder, parent};
use crate::error::at;
use crate::{Output, Result, Store, StoreError};

/// Above this many files one flush of the whole disk is cheaper than one a file.
const MANY: usize = 32;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// Relative paths of the regular files, sorted.
    pub(crate) files: Vec<String>,
    /// The folders, with the outermost.
    folders: Vec<PathBuf>,
}

/// Lists all files. Anything that is neither a regular file nor a folder is an error.
pub(crate) fn list(out: &Path) -> Result<Stock> {
    let mut stock = Stock::default();
    walk(out, "", &mut stock)?;
    stock.files.sort_unstable();
    Ok(stock)
}

fn walk(folder: &Path, prefix: &str, stock: &mut Stock) -> Result<()> {
    stock.folders.push(folder.to_path_buf());
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

/// Puts all files and names, and one file beside them, on the disk. At once: the disk then joins the flushes.
pub(crate) fn flush(out: &Path, stock: &Stock, beside: &Path) -> Result<()> {
    if stock.files.len() > MANY {
        let disk = File::open(out).map_err(at("open", out))?;
        let flushed = rustix::fs::syncfs(&disk).map_err(io::Error::from);
        return flushed.map_err(at("flush", out));
    }
    let mut files: Vec<PathBuf> = stock.files.iter().map(|file| out.join(file)).collect();
    files.push(beside.to_path_buf());
    files.par_iter().try_for_each(|path| flush_file(path))?;
    stock
        .folders
        .iter()
        .try_for_each(|folder| flush_folder(folder))
}
