//! Stored outputs by their path, whatever their key.
//! Unaware of why somebody asks.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use crate::record::MAX_RECORD;
use crate::tree::{inside, name};
use crate::{Key, Output, Record, Store};

impl Store {
    /// The outputs of all results by their paths, as the index and the records that it does not know have them; those that
    /// were moved aside too.
    pub fn outputs_by_path(&self) -> BTreeMap<String, Vec<Output>> {
        let keys = self.keys().unwrap_or_default(); // what cannot be listed is not known
        let found = keys.into_par_iter().flat_map_iter(|key| self.outputs(&key));
        let aside = inside(&self.layout().all_damaged()).into_par_iter();
        let aside = aside.flat_map_iter(|folder| outputs_aside(&folder));
        let mut all = BTreeMap::<String, Vec<Output>>::new();
        for output in found.chain(aside).collect::<Vec<_>>() {
            all.entry(output.path.clone()).or_default().push(output);
        }
        all
    }
}

/// What the record says of a result that was moved to this folder; nothing where it is not whole.
fn outputs_aside(folder: &Path) -> Vec<Output> {
    let record = || {
        let (key, _) = name(folder).rsplit_once('-')?;
        let key: Key = key.parse().ok()?;
        let bytes = files::read(&folder.join("record.json"), MAX_RECORD).ok()?;
        Record::decode(&bytes, &key).ok()
    };
    record().map_or_else(Vec::new, |record| record.outputs)
}
