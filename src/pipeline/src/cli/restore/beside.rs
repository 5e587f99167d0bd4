//! The folder of restored photographs as the page's: its files, and a list of them by which the next page of the same folder
//! takes away what it no longer shows.
//! Unaware of what is in them. Files that no page wrote are never touched.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use diagnostics::shown::line;
use page::{Page, Shelf};

use crate::cli::{Fatal, say};

/// The list of the pictures of the page, a JSON array of their names.
const LIST: &str = "img/files.json";

/// More than such a list takes: a photograph has four files.
const MOST: u64 = 64 << 20;

/// The folder.
pub struct Beside<'a> {
    folder: &'a Path,
    written: Mutex<BTreeSet<String>>,
}

impl<'a> Beside<'a> {
    pub const fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            written: Mutex::new(BTreeSet::new()),
        }
    }

    /// Writes the page, and removes the pictures of the one before it. Of a page that cannot be written no picture stays.
    pub fn write(&self, page: &Page) -> Result<(), Fatal> {
        let before = self.listed();
        if let Err(error) = page::write(page, self) {
            self.remove(&self.pictures());
            return Err(Fatal::failed(error.to_string(), ""));
        }
        let now = self.pictures();
        let list = serde_json::to_string(&now).unwrap_or_default();
        let cannot = |e: io::Error| Fatal::failed(format!("cannot write `{LIST}`: {e}"), "");
        self.put(LIST, list.as_bytes()).map_err(cannot)?;
        self.remove(&(&before - &now));
        Ok(())
    }

    /// The pictures of the page that is there.
    fn listed(&self) -> BTreeSet<String> {
        let path = self.folder.join(LIST);
        let text = files::read_to_string(&path, MOST).unwrap_or_default();
        let names: BTreeSet<String> = serde_json::from_str(&text).unwrap_or_default();
        names.into_iter().filter(|name| is_picture(name)).collect()
    }

    /// Those that were written.
    fn pictures(&self) -> BTreeSet<String> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let pictures = written.iter().filter(|name| is_picture(name));
        pictures.cloned().collect()
    }

    fn remove(&self, names: &BTreeSet<String>) {
        for name in names {
            match std::fs::remove_file(self.folder.join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    say(&format!(
                        "`{name}` of an earlier page stays: {}",
                        line(&e.to_string())
                    ));
                }
                _ => {}
            }
        }
    }
}

/// Whether a page may have called one of its pictures so: a list that somebody changed names nothing else.
fn is_picture(name: &str) -> bool {
    let parts = name.strip_prefix("img/").and_then(|n| n.rsplit_once('.'));
    parts.is_some_and(|(stem, ending)| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !stem.is_empty() && stem.chars().all(is_plain) && matches!(ending, "js" | "png")
    })
}

impl Shelf for Beside<'_> {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        store::write_atomic(&path, bytes).map_err(|e| io::Error::other(e.to_string()))?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(name.to_owned());
        Ok(())
    }
}
