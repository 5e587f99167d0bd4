//! Stored outputs by their path, whatever their key.
//! Unaware of why somebody asks.

use rayon::prelude::*;

use crate::{Output, Store};

impl Store {
    /// The outputs of this path of all results, as the index and the records that it does not know have them.
    pub fn outputs_of_path(&self, path: &str) -> Vec<Output> {
        let keys = self.keys().unwrap_or_default(); // what cannot be listed is not known
        let found = keys.into_par_iter().filter_map(|key| {
            let mut outputs = self.outputs(&key).into_iter();
            outputs.find(|output| output.path == path)
        });
        found.collect()
    }
}
