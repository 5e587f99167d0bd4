//! Opening a cache; for writing, what killed programs left in it is cleared away first.
//! Unaware of what it is opened for.

use std::path::Path;

use crate::early::Early;
use crate::{Result, Store, quarantine, scratch, ticket};

impl Store {
    /// Opens the cache in the folder `root` for writing, makes it where there is none.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, None)
    }

    /// Opens the cache in the folder `root` for reading. No folder is an empty cache.
    pub fn open_read_only(root: &Path) -> Result<Self> {
        Self::open_read_only_with(root, None)
    }

    pub(crate) fn open_with(root: &Path, early: Option<Early>) -> Result<Self> {
        let store = Self::create(root, early)?;
        ticket::sweep_finished(&store);
        quarantine::put_all_back(&store);
        scratch::sweep(&store);
        Ok(store)
    }

    pub(crate) fn open_read_only_with(root: &Path, early: Option<Early>) -> Result<Self> {
        Self::find(root, early)
    }
}
