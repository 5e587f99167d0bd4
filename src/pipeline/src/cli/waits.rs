//! How long the trainings of a run took, and how much of that they waited for data, as `pipeline show` has it.
//! Unaware of how data come to a training.

use std::collections::BTreeMap;

use serde_json::Value;
use store::{Key, Store};

use super::duration::duration;

/// A line for each training among these stages whose record says it; nothing where there is none.
pub fn listed(store: &Store, keys: &BTreeMap<String, String>) -> String {
    let times = |key: &str| {
        let key: Key = key.parse().ok()?;
        let record = store.record(&key).ok().flatten()?;
        let fact = |name: &str| record.facts.get(name).and_then(Value::as_f64);
        Some((fact("training_seconds")?, fact("data_wait_seconds")?))
    };
    let waits = keys
        .iter()
        .filter_map(|(name, key)| Some((name, times(key)?)));
    let waits: Vec<(&String, (f64, f64))> = waits.collect();
    if waits.is_empty() {
        return String::new();
    }
    let width = waits.iter().map(|(name, _)| name.chars().count()).max();
    let mut out = "trainings\n".to_owned();
    for (name, (trained, waited)) in waits {
        out += &format!(
            "  {name:<width$}  trained for {}, waiting for data {} ({:.1} %)\n",
            duration(trained),
            duration(waited),
            100.0 * waited / trained.max(1e-9),
            width = width.unwrap_or(0)
        );
    }
    out
}
