//! Short names for the folders of temporary files: a socket's path may have 108 bytes, and the cache's own are longer.
//! Unaware of what is put there. The files lie in the cache's folder all the same; only the name is elsewhere.
//!
//! ```text
//!   /tmp/pl-<8 digits of user and cache>/<16 digits of the key> ── link ──> <cache>/partial/<id of the run>.<number>
//!                  ^                            │
//!                  └── rename ── <id>.<number> <┘ when the command has ended, for the next one
//! ```
//!
//! A command finds the same name each time that its key is computed: some write it into what they make. Where the link leads
//! is of the run, so that a command that resolves it finds another path each time. Where there are no links, the folder is one
//! of the key.
//!
//! The link is renamed from one to the next and not removed and made again, as it would have to be for a folder of the key:
//! ext4 without a journal passes over each inode that was freed in the last minutes when it looks for one, so that the
//! thousandth link took a hundred times as long as the first.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use store::{Digest, Scratch, Ticket};

/// Where every program finds room for a socket.
const SHORT: &str = "/tmp";

/// Folders for temporary files, and links with short names to them; where no links can be made, names are long.
#[derive(Debug)]
pub struct ShortNames {
    /// The folder of links.
    links: Option<PathBuf>,
    /// What no command uses now.
    free: Mutex<Vec<Named>>,
}

/// A folder of this run with its link, which has a name of the run's while no command uses it.
#[derive(Debug)]
struct Named {
    scratch: Scratch,
    link: Option<PathBuf>,
}

/// A folder for temporary files. Its short name goes when it is dropped, and what lies there.
pub(super) struct Temporary<'a> {
    names: &'a ShortNames,
    /// Its short name, where it has one.
    path: PathBuf,
    is_link: bool,
    folder: PathBuf,
    /// None where the folder is that of one try alone.
    named: Option<Named>,
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
        Self {
            links: is_own.then_some(folder),
            free: Mutex::default(),
        }
    }

    /// A folder for the temporary files of the program of a ticket, under a short name.
    pub(super) fn folder(&self, ticket: &Ticket) -> Temporary<'_> {
        let name = format!("{:.16}", ticket.key());
        let link = self.links.as_ref().map(|all| all.join(name));
        let is_handed_on = link.is_some() && ticket.has_scratch();
        let named = is_handed_on.then(|| self.named(ticket)).flatten();
        let (folder, linked) = if let Some(named) = &named {
            // A killed run's link of this name is replaced.
            let renames = |link: &PathBuf| {
                let own = named.link.as_ref();
                own.is_some_and(|own| fs::rename(own, link).is_ok())
            };
            (named.scratch.path().to_owned(), link.filter(renames))
        } else {
            let folder = ticket.temporary();
            let linked = link.filter(|link| link_to(&folder, link));
            (folder, linked)
        };
        Temporary {
            names: self,
            is_link: linked.is_some(),
            path: linked.unwrap_or_else(|| folder.clone()),
            folder,
            named,
        }
    }

    /// One that is free, or a new one.
    fn named(&self, ticket: &Ticket) -> Option<Named> {
        let free = self.free().pop();
        free.or_else(|| {
            let scratch = ticket.scratch().ok()?;
            let own = |all: &PathBuf| Some(all.join(scratch.path().file_name()?));
            let link = self.links.as_ref().and_then(own);
            Some(Named {
                link: link.filter(|link| link_to(scratch.path(), link)),
                scratch,
            })
        })
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Named>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a new link leads to the folder. One of that name that a killed run has left is replaced.
fn link_to(folder: &Path, link: &Path) -> bool {
    let _ = fs::remove_file(link); // there is none, nearly always
    symlink(folder, link).is_ok()
        // Another run of this project that ends takes the empty folder away.
        || (link.parent().is_some_and(|all| make(all).is_ok()) && symlink(folder, link).is_ok())
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
        for Named { link, .. } in self.free().drain(..) {
            let _ = link.map(fs::remove_file); // one that stays dangles, and the next run removes it
        }
        if let Some(folder) = &self.links {
            let _ = fs::remove_dir(folder); // not while another run has names there
        }
    }
}

impl Temporary<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Temporary<'_> {
    /// The key is still this run's, so that the link of this name is, too.
    fn drop(&mut self) {
        let own = self.named.as_ref().and_then(|named| named.link.as_ref());
        let is_back = match own {
            Some(own) if self.is_link => fs::rename(&self.path, own).is_ok(),
            _ => !self.is_link,
        };
        if !is_back {
            let _ = fs::remove_file(&self.path); // the next name for the key takes its place
        }
        if let Some(named) = self.named.take() {
            if is_back && named.scratch.is_untouched() {
                self.names.free().push(named);
            } else {
                let _ = named.link.map(fs::remove_file); // it dangles, and the next run removes it
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{Claim, Key, Store};

    use super::*;

    /// The path that a command of this key finds in a new run.
    fn found(cache: &Path, links: Option<PathBuf>) -> PathBuf {
        let store = Store::open(cache).unwrap();
        let names = ShortNames {
            links,
            free: Mutex::default(),
        };
        let Claim::Ready(ticket) = store.ticket(&Key::of_manifest("m")).unwrap() else {
            panic!("nobody else is there");
        };
        let temporary = names.folder(&ticket);
        assert!(temporary.path().is_dir());
        temporary.path().to_owned()
    }

    #[test]
    fn a_command_finds_the_same_name_in_each_run_with_links_and_without() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, links) = (folder.path().join("cache"), folder.path().join("links"));
        make(&links).unwrap();
        for links in [Some(links), None] {
            let first = found(&cache, links.clone());
            assert_eq!(
                first.starts_with(folder.path().join("links")),
                links.is_some()
            );
            assert_eq!(found(&cache, links.clone()), first, "{links:?}");
        }
    }
}
