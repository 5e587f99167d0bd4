//! `pipeline runs` and `pipeline show`: what was run, and how it went.
//! Unaware of plans.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use store::Store;

use super::args::{RunsArgs, ShowArgs};
use super::diff::compare::{means, record};
use super::duration::duration;
use super::whose::{Whose, whose};
use super::{Exit, Fatal, print, print_json, print_lines, say, waits};
use engine::history::{End, Git, History, HistoryError, Keys, Past, RunStatus, StageEnd};
use engine::invocation::quoted;
use engine::paths;
use engine::root;

impl From<HistoryError> for Fatal {
    fn from(error: HistoryError) -> Self {
        Self::usage(error.to_string(), "`pipeline runs` lists what there is")
    }
}

/// Lists runs, newest first.
pub fn runs(args: &RunsArgs) -> Result<Exit, Fatal> {
    let cache = root::cache(&args.root.folder()?);
    let history = History::open(&cache);
    let newest = history.ids().iter().rev();
    let known = newest.filter_map(|id| match history.read(id) {
        Ok(past) => Some(past),
        Err(error) => {
            say(&format!("warning: {error}"));
            None
        }
    });
    let wanted = known.filter(|past| args.file.as_ref().is_none_or(|f| is_of(past, f)));
    let shown: Vec<Past> = wanted.take(args.number).collect();
    if shown.is_empty() && !args.json {
        print(&format!("no run is on record in {}\n", cache.display()));
    }
    let store = Store::open_read_only(&cache)?;
    let scores: Vec<Scores> = shown
        .iter()
        .map(|past| found(&store, &history.keys(past), past).scores)
        .collect();
    if args.json {
        for (past, scores) in shown.iter().zip(&scores) {
            print_json(&json_of(past, scores));
        }
    } else {
        print_lines(&lines(&shown, &scores));
    }
    Ok(Exit::Done)
}

fn is_of(past: &Past, file: &Path) -> bool {
    let full = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    Path::new(&past.header.file) == full
}

/// The means of each evaluation of a run.
type Scores = BTreeMap<String, BTreeMap<String, f64>>;

/// What evaluations of a run found, as far as it is in the cache.
#[derive(Default)]
struct Found {
    scores: Scores,
    /// Those whose result is a later run's by now, and that run.
    made_again: BTreeMap<String, String>,
}

fn found(store: &Store, keys: &Keys, past: &Past) -> Found {
    let mut found = Found::default();
    for name in keys.keys() {
        let means = means(store, keys, name);
        if means.is_empty() {
            continue;
        }
        match whose_now(store, keys, past, name) {
            Whose::Own => drop(found.scores.insert(name.clone(), means)),
            Whose::OfLater(run) => drop(found.made_again.insert(name.clone(), run)),
            Whose::OfOther => {}
        }
    }
    found
}

fn whose_now(store: &Store, keys: &Keys, past: &Past, name: &str) -> Whose {
    let record = record(store, keys, name);
    record.map_or(Whose::OfOther, |record| whose(&record.facts, past, name))
}

/// The best PSNR of a run's evaluations, which says in a word how it went.
fn best(scores: &Scores) -> Option<f64> {
    let psnr = scores.values().filter_map(|means| means.get("psnr"));
    psnr.copied().max_by(f64::total_cmp)
}

/// A line a run, in columns.
fn lines(runs: &[Past], scores: &[Scores]) -> String {
    let cells: Vec<[String; 4]> = runs.iter().map(cells).collect();
    let widest = |at: usize| cells.iter().map(|row| row[at].chars().count()).max();
    let [status, name, took, counts] = [0, 1, 2, 3].map(|at| widest(at).unwrap_or(0));
    let mut out = String::new();
    for ((past, cells), scores) in runs.iter().zip(&cells).zip(scores) {
        let line = format!(
            "{}  {:<status$}  {:<name$}  {:>took$}  {:<counts$}{}",
            past.header.id,
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            remarks(past, scores)
        );
        out += line.trim_end();
        out += "\n";
    }
    out
}

/// Its status, its file, how long it took, and how many stages ended how.
fn cells(past: &Past) -> [String; 4] {
    let file = Path::new(&past.header.file);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (counts, took) = match &past.end {
        Some(end) => (counts(end), duration(end.seconds)),
        None => (
            format!("{} of {} done", past.stages.len(), past.header.planned[0]),
            String::new(),
        ),
    };
    [status(past), name.into_owned(), took, counts]
}

fn remarks(past: &Past, scores: &Scores) -> String {
    let overrides = match past.header.overrides.as_slice() {
        [] => String::new(),
        given => {
            let given: Vec<String> = given.iter().map(|set| quoted(set)).collect();
            format!("  --set {}", given.join("  --set "))
        }
    };
    let damaged = damaged(past).map_or(String::new(), |text| format!("  ({text})"));
    let psnr = best(scores).map_or(String::new(), |psnr| format!("  PSNR up to {psnr:.4} dB"));
    psnr + &overrides + &damaged
}

/// What the journal has lost.
fn damaged(past: &Past) -> Option<String> {
    match past.damaged {
        0 => None,
        1 => Some("one line of its journal is damaged and left out".into()),
        n => Some(format!("{n} lines of its journal are damaged and left out")),
    }
}

fn counts(end: &End) -> String {
    let others = [
        (end.fresh, "fresh"),
        (end.failed, "failed"),
        (end.not_run, "not run"),
    ];
    let mut text = format!("{} ran", end.ran);
    for (n, what) in others.iter().filter(|(n, _)| *n > 0) {
        text += &format!(", {n} {what}");
    }
    text
}

fn status(past: &Past) -> String {
    match past.status {
        RunStatus::Running => "running".into(),
        RunStatus::Killed => "killed".into(),
        RunStatus::Ended(0) => "done".into(),
        RunStatus::Ended(130) => "interrupted".into(),
        RunStatus::Ended(code) => format!("exit {code}"),
    }
}

fn json_of(past: &Past, scores: &Scores) -> String {
    let line = json!({
        "run": past.header, "stages": past.stages, "end": past.end, "status": status(past),
        "damaged_lines": past.damaged, "metrics": scores,
    });
    format!("{line}\n")
}

/// Shows one run in full.
pub fn show(args: &ShowArgs) -> Result<Exit, Fatal> {
    let root = args.root.folder()?;
    let cache = root::cache(&root);
    let history = History::open(&cache);
    let store = Store::open_read_only(&cache)?;
    let past = history.read(history.find(&args.run)?)?;
    let keys = history.keys(&past);
    let found = found(&store, &keys, &past);
    if args.json {
        print_json(&json_of(&past, &found.scores));
    } else {
        let mut own = keys.clone();
        own.retain(|name, _| whose_now(&store, &keys, &past, name) == Whose::Own);
        let waits = waits::listed(&store, &own);
        let text = full(&past, reports(&past, &root).as_deref()) + &waits + &listed(&found);
        print_lines(&text);
    }
    Ok(Exit::Done)
}

/// Where the reports of a run's file and `--set` lie, if there are any.
fn reports(past: &Past, root: &Path) -> Option<PathBuf> {
    let root = std::path::absolute(root).ok()?;
    let header = &past.header;
    let folder = paths::folder(Path::new(&header.file), &header.overrides, &root);
    Some(root.join(folder)).filter(|folder| folder.is_dir())
}

fn full(past: &Past, reports: Option<&Path>) -> String {
    let header = &past.header;
    let mut out = String::new();
    let mut fact = |name: &str, value: &str| out += &format!("{name:<10}  {value}\n");
    fact("run", &header.id);
    fact("status", &status(past));
    fact("started", &header.started);
    if let Some(end) = &past.end {
        fact(
            "ended",
            &format!("{} (after {})", end.ended, duration(end.seconds)),
        );
    }
    if let Some(text) = damaged(past) {
        fact("note", &text);
    }
    fact("file", &header.file);
    if let Some(reports) = reports {
        fact("reports", &reports.display().to_string());
    }
    let words: Vec<String> = header.command.iter().map(|word| quoted(word)).collect();
    fact("command", &words.join(" "));
    for text in &header.overrides {
        fact("--set", text);
    }
    for (name, value) in &header.env {
        fact("env", &format!("{name}={value}"));
    }
    fact(
        "git",
        &header
            .git
            .as_ref()
            .map_or("not in a repository".into(), commit),
    );
    fact("device", &header.device);
    for (name, value) in &header.machine {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        fact(name, &value);
    }
    let [stale, fresh, blocked] = header.planned;
    fact(
        "planned",
        &format!("{stale} to run, {fresh} fresh, {blocked} blocked"),
    );
    let width = past.stages.iter().map(|s| s.name.chars().count()).max();
    for stage in &past.stages {
        let end = match stage.end {
            StageEnd::Done => "done",
            StageEnd::ByOther => "by another run",
            StageEnd::SameInputs => "same inputs",
            StageEnd::Failed => "failed",
            StageEnd::Stopped => "stopped",
        };
        let message = stage.message.lines().next().unwrap_or_default();
        let text = format!(
            "  {:<width$}  {:<10}  {end:<8}  {:>8}  {message}",
            stage.name,
            stage.kind,
            duration(stage.seconds),
            width = width.unwrap_or(0)
        );
        out += text.trim_end();
        out += "\n";
    }
    out
}

/// The metrics of a run, an evaluation a line.
fn listed(found: &Found) -> String {
    let names = found.scores.keys().chain(found.made_again.keys());
    let Some(width) = names.map(|name| name.chars().count()).max() else {
        return String::new();
    };
    let mut out = "metrics (mean over images)\n".to_owned();
    for (name, means) in &found.scores {
        let metric = |(name, value): (&String, &f64)| format!("{name} {value:.4}");
        let means: Vec<String> = means.iter().map(metric).collect();
        out += &format!("  {name:<width$}  {}\n", means.join("  "));
    }
    for (name, run) in &found.made_again {
        out += &format!("  {name:<width$}  made again since, by run {run}\n");
    }
    out
}

fn commit(git: &Git) -> String {
    let dirt = match git.dirty {
        Some(true) => ", with changes that are not committed",
        Some(false) => ", clean",
        None => "",
    };
    format!("{}{dirt}", git.commit)
}
