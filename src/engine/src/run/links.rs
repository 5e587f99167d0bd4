//! Folders of links to the outputs of input stages: made for the first reader, handed on to the next one.
//! Unaware of commands. Most outputs have several readers, and a folder costs more than a rename.
//!
//! ```text
//!   home/<input>/  <── put ──  the shelf, by what is linked  (the folders lie in the trash, which ends with the program)
//!        │                                   ^
//!        └── the command ends; only the links are there, as they were ──┘
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::Ticket;

/// A folder for one reader, and what lies in it.
pub(super) struct LinkFolder {
    /// Where the reader sees it.
    pub at: PathBuf,
    /// What it holds.
    pub links: Links,
}

/// Names, and the files or folders that they lead to.
pub(super) type Links = Vec<(OsString, PathBuf)>;

/// Folders that have no reader now, by their links.
#[derive(Default)]
pub struct LinkShelf(Mutex<BTreeMap<Links, Vec<PathBuf>>>);

impl LinkShelf {
    /// Puts the folder where its reader sees it; one that is there already gets the links beside what it holds.
    pub(super) fn put(&self, folder: &LinkFolder) -> io::Result<()> {
        let shelved = self.shelf().get_mut(&folder.links).and_then(Vec::pop);
        if let Some(shelved) = shelved
            && rename(&shelved, &folder.at).is_ok()
        {
            return Ok(());
        }
        fs::create_dir_all(&folder.at)?;
        folder
            .links
            .iter()
            .try_for_each(|(name, to)| symlink(to, folder.at.join(name)))
    }

    /// Takes the folder away from its reader. One that is not as it was put stays, for the reader's own clean-up.
    pub(super) fn take_back(&self, folder: LinkFolder, ticket: &Ticket) {
        if is_as_put(&folder).is_ok_and(|same| same)
            && let Ok(Some(shelved)) = ticket.discard(&folder.at)
        {
            self.shelf().entry(folder.links).or_default().push(shelved);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, BTreeMap<Links, Vec<PathBuf>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renames to a place that is free, or an empty folder; the folder around it is made where it is missing.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(to.parent().unwrap_or(to))?;
            fs::rename(from, to)
        }
        other => other,
    }
}

/// Whether the folder holds its links and nothing else.
fn is_as_put(folder: &LinkFolder) -> io::Result<bool> {
    let meta = fs::symlink_metadata(&folder.at)?;
    if !meta.is_dir() || meta.permissions().mode() & 0o700 != 0o700 {
        return Ok(false);
    }
    let mut count = 0;
    for entry in fs::read_dir(&folder.at)? {
        entry?;
        count += 1;
    }
    if count != folder.links.len() {
        return Ok(false);
    }
    for (name, to) in &folder.links {
        if fs::read_link(folder.at.join(name))? != *to {
            return Ok(false);
        }
    }
    Ok(true)
}
