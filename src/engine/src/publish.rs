//! Copies finished tables and figures to `reports/`.
//! Unaware of how they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use plan::Plan;
use report::stamp::Stamp;
use spec::Pipeline;
use store::{Key, Record};

use crate::error::Error;
use crate::materialize::is_made_anew;
use crate::page::{self, Ended};
use crate::reports::{self, Entry, INDEX, Index, PageEntry};
use crate::session::Session;
use crate::{numbers, paths};

/// More than a report takes.
pub const MAX_BYTES: u64 = 1 << 30;

/// What a terminal shows of the reports, and where they lie.
pub struct Published {
    /// The stored texts of tables and figures, in the order of the pipeline.
    pub texts: Vec<PathBuf>,
    /// The stored `table.csv` of each table, by its stage.
    pub tables: Vec<(String, PathBuf)>,
    /// The folder; none where nothing could be written or there is nothing.
    pub folder: Option<PathBuf>,
}

/// Copies finished tables and figures to their folder of [`reports`], each with the file and run it comes from, and
/// removes those of stages that have another name now.
pub fn publish(session: &Session, plan: &Plan, ended: &Ended<'_>) -> Result<Published, Error> {
    let pipeline = &session.pipeline;
    let below = paths::folder(&pipeline.file, &pipeline.overrides, &session.root);
    let folder = session.root.join(&below);
    let before = Index::read(&folder).unwrap_or_default();
    let mut index = Index {
        file: reports::shown_file(pipeline, &session.root),
        overrides: pipeline.overrides.clone(),
        reports: kept(&before, pipeline),
        page: None,
    };
    let (mut texts, mut tables, mut written) = (Vec::new(), Vec::new(), Ok(()));
    for (at, key) in finished(session, plan) {
        let Ok(Some(record)) = session.store.record(&key) else {
            continue;
        };
        let name = &pipeline.stages[at].name;
        let mut entry = entry(&record);
        for output in &record.outputs {
            let stored = session.store.output_dir(&key).join(&output.path);
            if matches!(output.path.as_str(), "table.txt" | "figure.txt") {
                texts.push(stored.clone());
            }
            if output.path == "table.csv" {
                tables.push((name.clone(), stored.clone()));
            }
            let file = paths::report_name(name, &output.path);
            if written.is_ok() {
                let stamp = stamp(&index, &entry);
                written = copy(&stored, session, &below.join(&file), &stamp);
                if written.is_err() && is_made_anew(session, &key, output) {
                    written = Ok(()); // by another run, which writes it here, too
                }
            }
            entry.files.push(file);
        }
        index.reports.insert(name.clone(), entry);
    }
    if written.is_ok() {
        index.page = page(session, plan, ended, &below, &before);
    }
    let any = !index.reports.is_empty() || index.page.is_some();
    if any {
        let others = |()| index.remove_others(&before, &session.root, &below);
        let others = |()| others(()).map_err(|e| (folder.clone(), e));
        let index = |()| index.write(&folder).map_err(|e| (folder.join(INDEX), e));
        written = written.and_then(others).and_then(index);
    } else if before.file == index.file {
        // The last report went out of the file.
        let _ = index.remove_others(&before, &session.root, &below);
        let _ = std::fs::remove_file(folder.join(INDEX));
    }
    match written {
        Ok(()) => Ok(Published {
            texts,
            tables,
            folder: any.then_some(folder),
        }),
        Err((path, error)) => {
            let message = format!("cannot write `{}`: {error}", files::Name(&path));
            if session.denied.is_none() {
                let hint = "the result is in the cache; free space or permissions are missing";
                return Err(Error::failed(message, hint));
            }
            // Where the cache may only be read the project most often may not be written either.
            session.warn(&message);
            Ok(Published {
                texts,
                tables,
                folder: None,
            })
        }
    }
}

/// Writes the page, and the numbers for other tools, where something is to be seen that they do not show yet. What cannot
/// be made costs no result: it is said, and the run goes on.
fn page(
    session: &Session,
    plan: &Plan,
    ended: &Ended<'_>,
    below: &Path,
    before: &Index,
) -> Option<PageEntry> {
    if !page::has_subject(&session.pipeline) {
        return None;
    }
    // A run of some stages takes nothing off the page that earlier ones put there.
    let all = session.plan_of_all(plan);
    let plan = all.as_ref().unwrap_or(plan);
    let made_of = page::made_of(session, plan);
    let is_there = session.root.join(below).join(page::FILE).is_file();
    let same = before.page.as_ref();
    let same = same.filter(|page| page.made_of == made_of && is_there);
    if let Some(same) = same.filter(|_| ended.lines.is_empty()) {
        return Some(same.clone());
    }
    let records = page::records(session, plan);
    let both = page::write(session, plan, ended, &records, below).and_then(|mut files| {
        files.extend(numbers::write(session, &records, below)?);
        Ok(files)
    });
    match both {
        Ok(files) if files.is_empty() => None,
        Ok(files) => Some(PageEntry { made_of, files }),
        Err(why) => {
            session.warn(&format!("the page of the reports was not written: {why}"));
            before.page.clone()
        }
    }
}

/// The reports that are planned, in the order of the file, and their keys.
fn finished(session: &Session, plan: &Plan) -> Vec<(usize, Key)> {
    let is_report = |at: usize| session.pipeline.stages[at].kind.is_report();
    let planned = plan.stages.iter().filter(|p| is_report(p.stage));
    let mut found: Vec<(usize, Key)> = planned.filter_map(|p| Some((p.stage, p.key?))).collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    found
}

/// What an earlier run left for stages that the file still has: this run may be of some stages only.
fn kept(before: &Index, pipeline: &Pipeline) -> BTreeMap<String, Entry> {
    let reports = pipeline.stages.iter().filter(|s| s.kind.is_report());
    let names: BTreeSet<&String> = reports.map(|s| &s.name).collect();
    let mut kept = before.reports.clone();
    kept.retain(|name, _| names.contains(name));
    kept
}

/// What the record of a report says of when it was made.
fn entry(record: &Record) -> Entry {
    let fact = |name| record.facts.get(name).and_then(|v| v.as_str());
    Entry {
        run: fact("run").map(str::to_owned),
        finished: fact("finished").unwrap_or_default().to_owned(),
        files: Vec::new(),
    }
}

fn stamp(index: &Index, entry: &Entry) -> Stamp {
    Stamp {
        file: index.file.clone(),
        overrides: index.overrides.clone(),
        run: entry.run.clone(),
        date: entry.finished.clone(),
    }
}

/// Copies a stored file to `to`, below the project, with its origin.
fn copy(
    from: &Path,
    session: &Session,
    to: &Path,
    stamp: &Stamp,
) -> Result<(), (PathBuf, io::Error)> {
    let failed = |e: io::Error| (session.root.join(to), e);
    let bytes = files::read(from, MAX_BYTES).map_err(failed)?;
    let name = to.to_string_lossy();
    reports::put_below(&session.root, to, &stamp.on(&name, bytes)).map_err(failed)
}
