//! What was done before, read from the cache for the plan.
//! Unaware of what the answers mean.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::{Made, Past, Stored};
use store::{Key, Presence, Store};

/// The cache, and the last keys of one pipeline file.
pub struct CachedPast<'a> {
    store: &'a Store,
    pipeline: PathBuf,
    /// Read when the first stage is not fresh.
    last: OnceCell<BTreeMap<String, Key>>,
}

impl<'a> CachedPast<'a> {
    /// The past of the stages of `pipeline`.
    pub const fn new(store: &'a Store, pipeline: PathBuf) -> Self {
        Self {
            store,
            pipeline,
            last: OnceCell::new(),
        }
    }
}

impl Past for CachedPast<'_> {
    fn stored(&self, key: &Key) -> Stored {
        stored(self.store.presence(key))
    }

    fn stored_all(&self, keys: &[Key]) -> Vec<Stored> {
        self.store.presences(keys).into_iter().map(stored).collect()
    }

    fn made(&self, key: &Key) -> Option<Made> {
        self.store.made(key).map(made)
    }

    fn made_all(&self, keys: &[Key]) -> Vec<Option<Made>> {
        let all = self.store.made_all(keys).into_iter();
        all.map(|found| found.map(made)).collect()
    }

    fn last_manifest(&self, stage: &str) -> Option<String> {
        let read = || self.store.last_keys(&self.pipeline);
        let key = self.last.get_or_init(read).get(stage)?;
        self.store
            .record(key)
            .ok()
            .flatten()
            .map(|record| record.manifest)
    }
}

fn made(made: store::Made) -> Made {
    let store::Made { content, consumed } = made;
    Made { content, consumed }
}

fn stored(presence: Presence) -> Stored {
    match presence {
        Presence::Absent => Stored::Nothing,
        Presence::Fresh(_) => Stored::Whole,
        Presence::Missing(files) => Stored::Missing(files),
        Presence::Damaged(files) => Stored::Damaged(files),
    }
}
