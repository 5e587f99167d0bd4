//! Short names for the folders of temporary files: a socket's path may have 108 bytes, and the cache's own are longer.
//! Unaware of what is put there. The files lie in the cache's folder all the same; only the name is elsewhere.
//!
//! ```text
//!   /tmp/pl-<8 digits of user and cache>/<16 digits of the key> ── link ──> <cache>/partial/<16 digits of the key>
//! ```
//!
//! A link to so short a path takes no block of a disk, in most projects.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use store::{Digest, Scratch, Ticket};

/// Where every program finds room for a socket.
const SHORT: &str = "/tmp";

/// A folder of links with short names; none where it cannot be made, and then names are long.
#[derive(Debug)]
pub struct ShortNames(Option<PathBuf>);

/// A folder for temporary files. Its short name goes when it is dropped, and what lies there.
pub(super) struct Temporary {
    /// Its short name, where it has one.
    path: PathBuf,
    is_link: bool,
    folder: PathBuf,
    _scratch: Option<Scratch>,
}

impl ShortNames {
    /// For the cache in this folder.
    pub fn new(cache: &Path) -> Self {
        let user = rustix::process::geteuid().as_raw();
        let name = Digest::of(format!("{user} {}", cache.display()).as_bytes());
        let folder = Path::new(SHORT).join(format!("pl-{name:.8}"));
        let _ = make(&folder); // it may be there
        let is_own = fs::symlink_metadata(&folder)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == user && meta.mode() & 0o022 == 0);
        if is_own {
            remove_dangling(&folder);
        }
        Self(is_own.then_some(folder))
    }

    /// A folder for the temporary files of the program of a ticket, under a short name.
    pub(super) fn folder(&self, ticket: &Ticket) -> Temporary {
        let scratch = ticket.scratch();
        let folder = scratch.as_ref().map(|scratch| scratch.path().to_owned());
        let folder = folder.unwrap_or_else(|| ticket.temporary());
        let name = format!("{:.16}", ticket.key());
        let link = self.0.as_ref().map(|all| all.join(name));
        let linked = link.filter(|link| {
            let _ = fs::remove_file(link); // a killed run has left it
            // Another run of this project that ends takes the empty folder away.
            symlink(&folder, link).is_ok()
                || (link.parent().is_some_and(|all| make(all).is_ok())
                    && symlink(&folder, link).is_ok())
        });
        Temporary {
            is_link: linked.is_some(),
            path: linked.unwrap_or_else(|| folder.clone()),
            folder,
            _scratch: scratch,
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Removes names that killed runs left, whose folders are gone since.
fn remove_dangling(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let target = fs::metadata(entry.path());
        if target.is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            let _ = fs::remove_file(entry.path()); // another run may do the same
        }
    }
}

impl Drop for ShortNames {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            let _ = fs::remove_dir(folder); // not while another run has names there
        }
    }
}

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_link {
            let _ = fs::remove_file(&self.path); // the next name for the key takes its place
        }
    }
}
