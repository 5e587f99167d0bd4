//! How long the trainings and the segmentations of a run took, and how much of that they waited for data, as `pipeline show`
//! has it. Unaware of how data come to them.

use std::collections::BTreeMap;

use serde_json::Value;
use store::{Key, Store};

use super::duration::duration;

/// Kinds of work whose records say it.
struct Work {
    title: &'static str,
    /// The fact with the seconds it took.
    seconds: &'static str,
    /// What was done, and what was waited for.
    words: [&'static str; 2],
}

const WORKS: [Work; 2] = [
    Work {
        title: "trainings",
        seconds: "training_seconds",
        words: ["trained", "data"],
    },
    // Stages that were computed together have the same time, that of all of them.
    Work {
        title: "masks",
        seconds: "segmenting_seconds",
        words: ["segmented", "images"],
    },
];

/// A line for each of these stages whose record says it, under what they are; nothing where there is none.
pub fn listed(store: &Store, keys: &BTreeMap<String, String>) -> String {
    WORKS.iter().map(|work| work.listed(store, keys)).collect()
}

impl Work {
    fn listed(&self, store: &Store, keys: &BTreeMap<String, String>) -> String {
        let times = |key: &str| {
            let key: Key = key.parse().ok()?;
            let record = store.record(&key).ok().flatten()?;
            let fact = |name: &str| record.facts.get(name).and_then(Value::as_f64);
            Some((fact(self.seconds)?, fact("data_wait_seconds")?))
        };
        let waits = keys
            .iter()
            .filter_map(|(name, key)| Some((name, times(key)?)));
        let waits: Vec<(&String, (f64, f64))> = waits.collect();
        if waits.is_empty() {
            return String::new();
        }
        let width = waits.iter().map(|(name, _)| name.chars().count()).max();
        let [done, data] = self.words;
        let mut out = format!("{}\n", self.title);
        for (name, (seconds, waited)) in waits {
            out += &format!(
                "  {name:<width$}  {done} for {}, waiting for {data} {} ({:.1} %)\n",
                duration(seconds),
                duration(waited),
                100.0 * waited / seconds.max(1e-9),
                width = width.unwrap_or(0)
            );
        }
        out
    }
}
