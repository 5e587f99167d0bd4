//! Stored results by what they were made from: the same configuration over the same bytes, under whatever key.
//! Unaware of how a content key comes about, and of which kinds of stages may take another's result.
//!
//! Keys name inputs by their own keys, so a comment in a script upstream gives everything downstream another key. A content
//! key names them by the bytes that were read. The map only says where to look: whoever takes a result reads its record
//! and every byte of its outputs.

use std::time::SystemTime;

use rayon::prelude::*;

use crate::copy::copy_all;
use crate::store::ByContent;
use crate::tree::mtime;
use crate::{Digest, Key, Record, Result, Store, Ticket};

impl Store {
    /// The keys whose records have this content key, the one committed last first. Those of other processes that came
    /// after the first question, and those of this one, are not among them.
    pub fn with_content_key(&self, content_key: &Digest) -> Vec<Key> {
        let known = self.by_content(|| self.load_by_content());
        let mut keys = known.get(content_key).cloned().unwrap_or_default();
        let committed = |key: &Key| {
            let meta = std::fs::symlink_metadata(self.layout().record(key));
            meta.map_or(SystemTime::UNIX_EPOCH, |meta| mtime(&meta))
        };
        if keys.len() > 1 {
            keys.sort_by_cached_key(|key| (std::cmp::Reverse(committed(key)), *key));
        }
        keys
    }

    /// Fills the empty folder of a ticket with the outputs of another record, every byte verified. `false`, and the folder
    /// is empty again, where one is gone or damaged, or there is no room for it.
    ///
    /// # Errors
    /// Where what was copied until then cannot be removed.
    pub fn adopt(&self, from: &Record, ticket: &Ticket) -> Result<bool> {
        let copied = copy_all(&self.output_dir(&from.key), &from.outputs, ticket.out());
        if copied.is_err() {
            ticket.clear_out()?;
        }
        Ok(copied.is_ok())
    }

    /// From the index, and from the records that it does not know.
    fn load_by_content(&self) -> ByContent {
        let keys = self.keys().unwrap_or_default(); // what cannot be listed is not found: its stage runs
        let found = keys.into_par_iter().filter_map(|key| {
            let content_key = match self.index().get_any(&key) {
                Some(found) => found.known().made()?.content_key,
                None => self.record(&key).ok()??.facts.content_key(),
            };
            Some((content_key?, key))
        });
        let mut all = ByContent::new();
        for (content_key, key) in found.collect::<Vec<_>>() {
            all.entry(content_key).or_default().push(key);
        }
        all
    }
}
