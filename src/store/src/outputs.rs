//! Takes stock of a folder of outputs before it is committed: what lies there.
//! Unaware of digests, of which outputs a stage owes, and of where the folder goes.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::atomic::{create_beside, parent};
use crate::error::at;
use crate::links::{Links, stays_inside};
use crate::output::is_program;
use crate::{Output, OutputKind, Result, StoreError};

/// What lies in a folder.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// The regular files, sorted by path.
    pub(crate) files: Vec<Listing>,
    /// Links that stay inside, and empty folders but for the outermost.
    pub(crate) others: Vec<Output>,
    /// Relative paths of the folders, `""` for the outermost.
    pub(crate) folders: Vec<String>,
}

/// A regular file.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Its relative path.
    pub(crate) path: String,
    pub(crate) is_program: bool,
}

impl Stock {
    /// Whether there is a file of this path.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        let found = self.files.binary_search_by(|file| (*file.path).cmp(path));
        found.is_ok()
    }

    /// The first link.
    pub(crate) fn link(&self) -> Option<&str> {
        let mut others = self.others.iter();
        let link = others.find(|other| matches!(other.kind, OutputKind::Link(_)));
        link.map(|link| &*link.path)
    }

    fn check_links(&self, out: &Path) -> Result<()> {
        let link = |other| match other {
            &Output {
                ref path,
                kind: OutputKind::Link(ref to),
                ..
            } => Some((&**path, &**to)),
            _ => None,
        };
        let links: Links<'_> = self.others.iter().filter_map(link).collect();
        match links.keys().find(|path| !stays_inside(&links, path)) {
            Some(path) => Err(StoreError::NotRegular {
                path: out.join(path),
                what: LEADS_OUT,
            }),
            None => Ok(()),
        }
    }
}

/// What a link is that cannot be kept.
const LEADS_OUT: &str = "a symbolic link that leads out of the folder of outputs";

/// Lists all that is there, and gives hard links bytes of their own. Anything but a regular file, a folder and a link that
/// stays inside is an error.
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
    stock.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    stock.check_links(out)?;
    Ok(stock)
}

fn walk(folder: &Path, prefix: &str, stock: &mut Stock) -> Result<()> {
    stock.folders.push(prefix.to_owned());
    let mut is_empty = true;
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        is_empty = false;
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
            stock.files.push(Listing {
                path: relative,
                is_program: is_program(&meta),
            });
        } else if meta.is_symlink() {
            let to = fs::read_link(&path).map_err(at("read", &path))?;
            let to = to.into_os_string().into_string();
            let to = to.map_err(|_| refuse("a symbolic link to a name that is not UTF-8"))?;
            stock.others.push(Output::link(relative, to));
        } else {
            return Err(refuse("a device, pipe or socket"));
        }
    }
    if let Some(path) = prefix.strip_suffix('/').filter(|_| is_empty) {
        stock.others.push(Output::folder(path.to_owned()));
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

/// Whether a file system keeps who may run a file: some show every file as a program. Tried out in `folder`.
pub(crate) fn probe_permissions(folder: &Path) -> bool {
    let Ok((path, file)) = create_beside(folder) else {
        return true;
    };
    let is_kept = file.metadata().is_ok_and(|meta| !is_program(&meta));
    let _ = fs::remove_file(&path);
    is_kept
}

/// The files among some outputs, in a folder.
pub(crate) fn files_in<'a>(
    folder: &'a Path,
    outputs: &'a [Output],
) -> impl Iterator<Item = PathBuf> + 'a {
    let files = outputs.iter().filter(|output| output.kind.is_file());
    files.map(|file| folder.join(&file.path))
}
