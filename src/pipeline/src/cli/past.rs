//! What was done before, read from the cache for the plan.
//! Unaware of what the answers mean.

use std::collections::BTreeMap;
use std::path::Path;

use store::{Key, Presence, Store};

use crate::plan::{Past, Stored};

/// The cache, and the last keys of one pipeline file.
pub struct CachedPast<'a> {
    store: &'a Store,
    last: BTreeMap<String, Key>,
}

impl<'a> CachedPast<'a> {
    /// The past of the stages of `pipeline`.
    pub fn new(store: &'a Store, pipeline: &Path) -> Self {
        Self {
            store,
            last: store.last_keys(pipeline),
        }
    }
}

impl Past for CachedPast<'_> {
    fn stored(&self, key: &Key) -> Stored {
        match self.store.presence(key) {
            Presence::Absent => Stored::Nothing,
            Presence::Fresh(_) => Stored::Whole,
            Presence::Missing(files) => Stored::Missing(files),
            Presence::Damaged(files) => Stored::Damaged(files),
        }
    }

    fn last_manifest(&self, stage: &str) -> Option<String> {
        let key = self.last.get(stage)?;
        self.store
            .record(key)
            .ok()
            .flatten()
            .map(|record| record.manifest)
    }
}
