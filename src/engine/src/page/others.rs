//! Evaluations of other runs on the images that the page shows: of the same file with another `--set` or from before an edit,
//! and of other files. They are found by the key of their images.
//! Unaware of what differs between the runs.

use std::collections::{BTreeMap, BTreeSet};

use ::page::Method;
use artifacts::Metrics;
use store::Key;

use super::ended::Records;
use crate::history::{Header, History};
use crate::session::Session;

/// So many runs are looked through, the newest first.
const RUNS: usize = 30;
/// So many results are looked at.
const RESULTS: usize = 2000;
/// So many evaluations of others are shown of a set.
const MOST: usize = 4;
/// Letters of a name.
const LETTERS: usize = 60;

/// The evaluations that kept pictures, by the key of their images.
pub(super) struct Others(BTreeMap<String, Vec<Method>>);

impl Others {
    /// Reads the history, as far as it is asked.
    pub fn read(session: &Session, records: &Records) -> Self {
        let mut known: BTreeSet<String> = records.values().map(|(k, _)| k.to_string()).collect();
        let mut found: BTreeMap<String, Vec<Method>> = BTreeMap::new();
        let history = History::open(session.store.root());
        let mut files = BTreeSet::new();
        let mut looked_at = 0;
        for id in history.ids().iter().rev().take(RUNS) {
            let Ok(past) = history.read(id) else { continue };
            if !files.insert(past.header.keys.clone()) {
                continue;
            }
            for (stage, key) in history.keys(&past) {
                if looked_at == RESULTS {
                    return Self(found);
                }
                if known.insert(key.clone()) {
                    looked_at += 1;
                    if let Some((images, method)) = method(session, &past.header, &stage, &key) {
                        found.entry(images).or_default().push(method);
                    }
                }
            }
        }
        Self(found)
    }

    /// Those on the images of this key whose numbers can be read; no two have one name, and none that of another method.
    pub fn on(&self, images: &str, methods: &[Method]) -> Vec<Method> {
        let mut names: BTreeSet<String> = methods.iter().map(|m| m.name.clone()).collect();
        let mut shown = Vec::new();
        let all = self.0.get(images).into_iter().flatten();
        // A damaged result of another run is no reason to have no page of this one.
        let whole = all.filter(|other| Metrics::read(&other.folder).is_ok());
        for other in whole.take(MOST) {
            let mut own = other.clone();
            if !names.insert(own.name.clone()) {
                own.name = format!("{} {:.8}", own.name, own.key);
                names.insert(own.name.clone());
            }
            shown.push(own);
        }
        shown
    }
}

/// An evaluation that kept pictures, and the key of its images.
fn method(session: &Session, run: &Header, stage: &str, key: &str) -> Option<(String, Method)> {
    let key: Key = key.parse().ok()?;
    let record = session.store.record(&key).ok()??;
    let has_pictures = record
        .outputs
        .iter()
        .any(|o| o.path.starts_with("restored/"));
    if record.kind != "evaluate" || !has_pictures {
        return None;
    }
    let images = record
        .manifest
        .lines()
        .find_map(|line| line.strip_prefix("input.images\t"))?;
    let method = Method {
        name: name(session, run, stage),
        stage: stage.to_owned(),
        key: key.to_string(),
        folder: session.store.output_dir(&key),
        other: true,
        ..Method::default()
    };
    Some((images.to_owned(), method))
}

/// The stage, and of which run: by its `--set` where it has one, by its file where that is another, else by its name.
fn name(session: &Session, run: &Header, stage: &str) -> String {
    let is_own = std::path::Path::new(&run.file)
        == std::path::absolute(&session.pipeline.file).unwrap_or_default();
    let file = std::path::Path::new(&run.file).file_name();
    let file = file.map_or(String::new(), |f| f.to_string_lossy().into_owned());
    let of = match (run.overrides.as_slice(), is_own) {
        ([], true) => run.id.clone(),
        ([], false) => file,
        (set, true) => set.join(", "),
        (set, false) => format!("{file}, {}", set.join(", ")),
    };
    let letters: String = of.chars().take(LETTERS).collect();
    let more = if letters.len() < of.len() { "…" } else { "" };
    format!("{stage} ({letters}{more})")
}
