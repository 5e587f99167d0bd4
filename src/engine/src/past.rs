//! What was done before, read from the cache for the plan.
//! Unaware of what the answers mean.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::{Made, Past, Stored};
use store::{Key, Status, Store};

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

    /// The key that a stage of this name had when it last was fresh.
    fn last_key(&self, stage: &str) -> Option<&Key> {
        let read = || self.store.last_keys(&self.pipeline);
        self.last.get_or_init(read).get(stage)
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
        let record = self.store.record(self.last_key(stage)?).ok()??;
        Some(record.manifest)
    }

    fn was_damaged(&self, key: &Key) -> bool {
        self.store.was_damaged(key)
    }

    fn last_can_be_taken_over(&self, stage: &str) -> bool {
        self.last_key(stage).is_some_and(|key| {
            let made = self.store.made(key);
            made.is_some_and(|made| made.content_key.is_some())
                && matches!(self.store.presence(key), Status::Fresh(_))
        })
    }
}

fn made(made: store::Made) -> Made {
    let store::Made {
        content,
        consumed,
        content_key: _,
    } = made;
    Made { content, consumed }
}

fn stored(presence: Status) -> Stored {
    match presence {
        Status::Absent => Stored::Nothing,
        Status::Fresh(_) => Stored::Whole,
        Status::Missing(files) => Stored::Missing(files),
        Status::Damaged(files) => Stored::Damaged(files),
    }
}
