//! Reads what a cache is asked for first, from a thread of its own, while its owner still reads a pipeline file.
//! Unaware of what is in them. All of it is checked when it is used, so a change in between costs only time.
//!
//! ```text
//!   Prefetch::begin ─> thread: memo, index, last keys ─┐
//!        │                                          v
//!        └─> the owner parses its file ──────> Prefetch::open ─> Store
//! ```

use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use crate::early::Early;
use crate::{Result, Store};

/// A cache that is being looked at and not open yet.
#[derive(Debug)]
pub struct Prefetch {
    root: PathBuf,
    thread: Option<JoinHandle<Early>>,
}

impl Prefetch {
    /// Begins to read the cache in the folder `root`, for this pipeline file. Creates nothing.
    pub fn begin(root: &Path, pipeline: &Path) -> Self {
        let (from, pipeline) = (root.to_path_buf(), pipeline.to_path_buf());
        let read = move || Early::read(&from, &pipeline);
        Self {
            root: root.to_path_buf(),
            thread: Builder::new().name("ahead".to_owned()).spawn(read).ok(),
        }
    }

    /// As [`Store::open`].
    pub fn open(self) -> Result<Store> {
        Store::open_with(&self.root, self.thread.and_then(|read| read.join().ok()))
    }

    /// As [`Store::open_read_only`].
    pub fn open_read_only(self) -> Result<Store> {
        Store::open_read_only_with(&self.root, self.thread.and_then(|read| read.join().ok()))
    }
}
