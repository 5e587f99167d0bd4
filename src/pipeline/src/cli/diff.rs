//! `pipeline diff`: two runs side by side: parameters, metrics, and the schedules of two trainings.
//! Unaware of plans: it compares what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use store::{Key, Record, Store};

use super::args::DiffArgs;
use super::plan::duration;
use super::{Exit, Fatal, print, why};
use crate::history::{History, Keys};
use crate::plan;

/// Compares two runs.
pub fn diff(args: &DiffArgs) -> Result<Exit, Fatal> {
    let cache = args.root.join("cache");
    let store = Store::open_read_only(&cache)?;
    let history = History::open(&cache);
    let keys = |text: &str| -> Result<(String, Keys), Fatal> {
        let id = history.find(text)?.to_owned();
        let keys = history.keys(&history.read(&id)?);
        Ok((id, keys))
    };
    let (a, b) = (keys(&args.a)?, keys(&args.b)?);
    let mut out = format!("a  {}\nb  {}\n", a.0, b.0);
    if let [first, second] = args.stages.as_slice() {
        let (first, second) = (found(&store, &a.1, first)?, found(&store, &b.1, second)?);
        out += &schedules(&store, &first, &second);
    } else {
        out += &parameters(&store, &a.1, &b.1);
        out += &metrics(&store, &a.1, &b.1);
        for name in trainings(&store, &a.1, &b.1) {
            let (first, second) = (found(&store, &a.1, &name)?, found(&store, &b.1, &name)?);
            out += &schedules(&store, &first, &second);
        }
    }
    print(&out);
    Ok(Exit::Done)
}

/// A stage of a run, with its record.
struct Stored {
    name: String,
    record: Record,
}

fn record(store: &Store, keys: &Keys, name: &str) -> Option<Record> {
    let key: Key = keys.get(name)?.parse().ok()?;
    store.record(&key).ok().flatten()
}

fn found(store: &Store, keys: &Keys, name: &str) -> Result<Stored, Fatal> {
    let missing = || {
        let message = format!("this run has no finished stage `{name}` in the cache");
        Fatal::usage(message, "`pipeline show RUN` lists its stages")
    };
    let record = record(store, keys, name).ok_or_else(missing)?;
    let name = name.to_owned();
    Ok(Stored { name, record })
}

/// Lines of manifests that differ, stage by stage.
fn parameters(store: &Store, a: &Keys, b: &Keys) -> String {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut out = String::from("\nparameters\n");
    let before = out.len();
    for name in names {
        match (a.get(name), b.get(name)) {
            (Some(x), Some(y)) if x == y => {}
            (Some(_), None) => out += &format!("  {name}: only in a\n"),
            (None, _) => out += &format!("  {name}: only in b\n"),
            (Some(_), Some(_)) => out += &changed(store, a, b, name),
        }
    }
    if out.len() == before {
        out += "  the same\n";
    }
    out
}

fn changed(store: &Store, a: &Keys, b: &Keys, name: &str) -> String {
    let (Some(x), Some(y)) = (record(store, a, name), record(store, b, name)) else {
        return format!("  {name}: differs; one of the results is not in the cache any more\n");
    };
    let changes = plan::changes(&x.manifest, &y.manifest);
    // That an input has another key is said where that input stands.
    let own = changes.iter().filter(|c| !c.path.starts_with("input."));
    let mut out = String::new();
    for change in own {
        out += &format!("  {name}: {}\n", why::changed(change));
    }
    out
}

/// Averages of the evaluations that both runs have, where they differ or not.
fn metrics(store: &Store, a: &Keys, b: &Keys) -> String {
    let mut out = String::from("\nmetrics (mean over images)\n");
    let before = out.len();
    for name in a.keys().filter(|name| b.contains_key(*name)) {
        let (x, y) = (means(store, a, name), means(store, b, name));
        for (metric, (x, y)) in pairs(&x, &y) {
            out += &format!("  {name}: {metric} {x:.4} → {y:.4} ({:+.4})\n", y - x);
        }
    }
    if out.len() == before {
        out += "  no evaluation is in both\n";
    }
    out
}

fn pairs(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> Vec<(String, (f64, f64))> {
    a.iter()
        .filter_map(|(name, x)| Some((name.clone(), (*x, *b.get(name)?))))
        .collect()
}

/// The mean of each column of an evaluation's `metrics.csv`.
fn means(store: &Store, keys: &Keys, name: &str) -> BTreeMap<String, f64> {
    let Some(record) = record(store, keys, name).filter(|r| r.kind == "evaluate") else {
        return BTreeMap::new();
    };
    column_means(&store.output_dir(&record.key).join("metrics.csv")).unwrap_or_default()
}

fn column_means(path: &Path) -> Option<BTreeMap<String, f64>> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let names: Vec<String> = reader.headers().ok()?.iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().ok()?;
    let mean = |column: usize| {
        let values: Option<Vec<f64>> = rows.iter().map(|r| r.get(column)?.parse().ok()).collect();
        let values = values.filter(|v| !v.is_empty())?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    let columns = names.iter().enumerate();
    Some(
        columns
            .filter_map(|(n, name)| Some((name.clone(), mean(n)?)))
            .collect(),
    )
}

/// Trainings that both runs have and that differ.
fn trainings(store: &Store, a: &Keys, b: &Keys) -> Vec<String> {
    let both = a
        .iter()
        .filter(|(name, key)| b.get(*name).is_some_and(|k| k != *key));
    let trains = |name: &&String| {
        [a, b].iter().all(|keys| {
            record(store, keys, name).is_some_and(|r| matches!(r.kind.as_str(), "train" | "tune"))
        })
    };
    both.map(|(name, _)| name).filter(trains).cloned().collect()
}

/// Two trainings side by side (Table 5 of the paper).
fn schedules(store: &Store, a: &Stored, b: &Stored) -> String {
    let (x, y) = (
        Schedule::read(store, &a.record),
        Schedule::read(store, &b.record),
    );
    let mut out = format!(
        "\nschedules\n  {:<28}  {:>20}  {:>20}\n",
        "", a.name, b.name
    );
    let rows = [
        (
            "iterations to converge",
            x.iterations.clone(),
            y.iterations.clone(),
        ),
        ("iterations run", x.run.clone(), y.run.clone()),
        (
            "trainable parameters",
            x.trainable.clone(),
            y.trainable.clone(),
        ),
        ("seconds of training", x.seconds.clone(), y.seconds.clone()),
        ("peak memory (MiB)", x.memory.clone(), y.memory.clone()),
        ("best validation PSNR (dB)", x.psnr.clone(), y.psnr.clone()),
    ];
    for (what, x, y) in rows {
        out += &format!("  {what:<28}  {x:>20}  {y:>20}\n");
    }
    out
}

#[derive(Default)]
struct Schedule {
    iterations: String,
    run: String,
    trainable: String,
    seconds: String,
    memory: String,
    psnr: String,
}

impl Schedule {
    fn read(store: &Store, record: &Record) -> Self {
        let folder = store.output_dir(&record.key);
        let card = std::fs::read(folder.join("model.json")).unwrap_or_default();
        let card: Value = serde_json::from_slice(&card).unwrap_or_default();
        let of = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "–".to_owned(),
            Some(value) => value.to_string(),
        };
        let best = best_psnr(&folder.join("steps.csv"));
        let seconds = record.facts.get("training_seconds").and_then(Value::as_f64);
        Self {
            iterations: best.map_or_else(|| of(card.get("iterations")), |(n, _)| n.to_string()),
            run: of(card.get("iterations_run")),
            trainable: of(card.get("trainable")),
            seconds: seconds.map_or("–".into(), |s| format!("{s:.1} ({})", duration(s))),
            memory: of(record.facts.get("peak_memory_mib")),
            psnr: best.map_or("–".into(), |(_, psnr)| format!("{psnr:.4}")),
        }
    }
}

/// The iteration with the best validation, and its PSNR in dB.
fn best_psnr(path: &Path) -> Option<(u64, f64)> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let rows = reader.records().flatten();
    let values = rows.filter_map(|r| {
        let (iteration, psnr) = (r.get(0)?.parse().ok()?, r.get(3)?.parse::<f64>().ok()?);
        Some((iteration, psnr))
    });
    values.reduce(|best, next| if next.1 > best.1 { next } else { best })
}
