//! What differs between the stages of two runs, and the averages of what both evaluated.
//! Unaware of how it is shown.

use std::collections::{BTreeMap, BTreeSet};

use artifacts::Metrics;
use serde::Serialize;
use store::{Key, Record, Store};

use crate::cli::why;
use engine::history::Keys;
use plan::{self, Change};

/// Something that differs.
#[derive(Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub(super) enum Parameter {
    /// The second run has no such stage.
    OnlyInA { stage: String },
    /// The first run has no such stage.
    OnlyInB { stage: String },
    /// One of the results is not in the cache any more.
    Unknown { stage: String },
    /// A line of the manifest.
    Changed {
        stage: String,
        path: String,
        old: Option<String>,
        new: Option<String>,
    },
}

impl Parameter {
    pub(super) fn text(&self) -> String {
        match self {
            Self::OnlyInA { stage } => format!("{stage}: only in a"),
            Self::OnlyInB { stage } => format!("{stage}: only in b"),
            Self::Unknown { stage } => {
                format!("{stage}: differs; one of the results is not in the cache any more")
            }
            Self::Changed {
                stage,
                path,
                old,
                new,
            } => {
                let (path, old, new) = (path.clone(), old.clone(), new.clone());
                format!("{stage}: {}", why::changed(&Change { path, old, new }))
            }
        }
    }
}

/// The average over an evaluation's images in both runs.
#[derive(Serialize)]
pub(super) struct Metric {
    stage: String,
    name: String,
    a: f64,
    b: f64,
}

impl Metric {
    /// How it differs, where that can be seen.
    pub(super) fn text(&self) -> Option<String> {
        let Self { stage, name, a, b } = self;
        let (old, new) = (format!("{a:.4}"), format!("{b:.4}"));
        (old != new).then(|| format!("{stage}: {name} {old} → {new} ({:+.4})", b - a))
    }
}

/// The record of a stage of a run, while it is in the cache.
pub(in crate::cli) fn record(store: &Store, keys: &Keys, name: &str) -> Option<Record> {
    let key: Key = keys.get(name)?.parse().ok()?;
    store.record(&key).ok().flatten()
}

/// Lines of manifests that differ, stage by stage.
pub(super) fn parameters(store: &Store, a: &Keys, b: &Keys) -> Vec<Parameter> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let stage = name.clone();
        match (a.get(name), b.get(name)) {
            (Some(x), Some(y)) if x == y => {}
            (Some(_), None) => found.push(Parameter::OnlyInA { stage }),
            (None, _) => found.push(Parameter::OnlyInB { stage }),
            (Some(_), Some(_)) => found.extend(changed(store, a, b, name)),
        }
    }
    found
}

fn changed(store: &Store, a: &Keys, b: &Keys, name: &str) -> Vec<Parameter> {
    let stage = name.to_owned();
    let (Some(x), Some(y)) = (record(store, a, name), record(store, b, name)) else {
        return vec![Parameter::Unknown { stage }];
    };
    let changes = plan::changes(&x.manifest, &y.manifest).into_iter();
    // That an input has another key is said where that input stands.
    let own = changes.filter(|c| !c.path.starts_with("input."));
    let parameter = |Change { path, old, new }| Parameter::Changed {
        stage: stage.clone(),
        path,
        old,
        new,
    };
    own.map(parameter).collect()
}

/// Averages of the evaluations that both runs have, where they differ or not.
pub(super) fn metrics(store: &Store, a: &Keys, b: &Keys) -> Vec<Metric> {
    let mut found = Vec::new();
    for stage in a.keys().filter(|stage| b.contains_key(*stage)) {
        let (x, y) = (means(store, a, stage), means(store, b, stage));
        let both = x.into_iter().filter_map(|(name, a)| {
            let (b, stage) = (*y.get(&name)?, stage.clone());
            Some(Metric { stage, name, a, b })
        });
        found.extend(both);
    }
    found
}

/// The mean of each column of an evaluation's `metrics.csv`.
pub(in crate::cli) fn means(store: &Store, keys: &Keys, name: &str) -> BTreeMap<String, f64> {
    let Some(record) =
        record(store, keys, name).filter(|r| r.output(artifacts::metrics::FILE).is_some())
    else {
        return BTreeMap::new();
    };
    let metrics = Metrics::read(&store.output_dir(&record.key));
    metrics.map_or_else(|_| BTreeMap::new(), |metrics| metrics.means())
}
