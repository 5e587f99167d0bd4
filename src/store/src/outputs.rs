//! Takes stock of a folder of outputs before it is committed: which files, and their digests.
//! Unaware of which outputs a stage owes, and of where the folder goes.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rayon::prelude::*;

use crate::atomic::{create_beside, parent};
use crate::error::at;
use crate::hash::Hashed;
use crate::{Output, Result, Store, StoreError};

/// From this many files on, all cores hash: below, waking them takes longer than the work.
const MANY: usize = 8;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// Relative paths of the regular files, sorted.
    pub(crate) files: Vec<String>,
    /// Relative paths of the folders, `""` for the outermost.
    pub(crate) folders: Vec<String>,
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

/// Hashes all files.
pub(crate) fn digest_all(store: &Store, out: &Path, files: &[String]) -> Result<Vec<Output>> {
    let hashed = hash_all(store, out, files)?;
    Ok(hashed.into_iter().map(|(output, _)| output).collect())
}

/// Hashes all files; their stats with them.
pub(crate) fn hash_all(
    store: &Store,
    out: &Path,
    files: &[String],
) -> Result<Vec<(Output, Hashed)>> {
    let digest = |path: &String| {
        let hashed = store.hash_anew(&out.join(path))?;
        let output = Output {
            path: path.clone(),
            size: hashed.stat.size,
            digest: hashed.digest,
        };
        Ok((output, hashed))
    };
    if files.len() < MANY {
        files.iter().map(digest).collect()
    } else {
        files.par_iter().map(digest).collect()
    }
}
