//! The page beside the tables: gathers what it shows of a run from the plan, the records and the history.
//! Unaware of how the page looks.

mod ended;
mod facts;
mod others;
mod sets;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ::page::{Figure, Page, Shelf, Stage, Table, Training};
use plan::{Plan, Verdict};
use report::graph::{self, State};
use spec::{Kind, Pipeline};
use store::{Key, Record};

pub use ended::{Ended, Records, records};

use crate::history::{StageEnd, StageLine};
use crate::invocation::quoted;
use crate::reports;
use crate::session::Session;

/// The page's file.
pub const FILE: &str = "index.html";

/// Names what a page is made of: the stages with their keys, and this program.
pub fn made_of(session: &Session, plan: &Plan) -> String {
    let mut text = format!("{}\n", env!("CARGO_PKG_VERSION"));
    for planned in &plan.stages {
        if let Some(key) = planned.key {
            let name = &session.pipeline.stages[planned.stage].name;
            text += &format!("{key} {name}\n");
        }
    }
    format!("{:.32}", store::Digest::of(text.as_bytes()).to_string())
}

/// Whether the page or the numbers for other tools are about stages of this kind.
pub fn is_subject(kind: &Kind) -> bool {
    kind.is_report() || kind.schedule().is_some() || matches!(kind, Kind::Evaluate(_))
}

/// Whether there is any such stage. Asked before a record is read: a pipeline of commands alone has thousands.
pub fn has_subject(pipeline: &Pipeline) -> bool {
    pipeline.stages.iter().any(|stage| is_subject(&stage.kind))
}

/// Writes the page into the folder of reports `below` the project; returns the names of its files, none where
/// there is nothing to show.
pub fn write(
    session: &Session,
    plan: &Plan,
    ended: &Ended<'_>,
    records: &Records,
    below: &Path,
) -> Result<Vec<String>, String> {
    let shelf = Folder {
        root: &session.root,
        below,
    };
    let page = gathered(session, plan, ended, records);
    if page.tables.is_empty() && page.sets.is_empty() && page.trainings.is_empty() {
        return Ok(Vec::new());
    }
    ::page::write(&page, &shelf).map_err(|e| e.to_string())
}

/// A folder below the project; links that lead out of it are not written through.
struct Folder<'a> {
    root: &'a Path,
    below: &'a Path,
}

impl Folder<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(self.below).join(name)
    }
}

impl Shelf for Folder<'_> {
    fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        reports::put_below(self.root, &self.below.join(name), bytes)
    }
}

fn gathered(session: &Session, plan: &Plan, ended: &Ended<'_>, records: &Records) -> Page {
    let file = reports::shown_file(&session.pipeline, &session.root);
    let sets: Vec<String> = session
        .pipeline
        .overrides
        .iter()
        .map(|o| format!(" --set {}", quoted(o)))
        .collect();
    // Whoever reads the page has the program under its name, and the project's folder before them.
    let variables: String = session.variables().map(|v| v + " ").collect();
    Page {
        facts: facts::of(session, ended, records),
        command: format!("{variables}pipeline run {}{}", quoted(&file), sets.concat()),
        path: format!(
            "{variables}pipeline path --file {}{}",
            quoted(&file),
            sets.concat()
        ),
        graph: drawn(session, plan, records, &file),
        stages: stages(session, plan, ended, records),
        tables: tables(session, records),
        sets: sets::of(session, records),
        trainings: trainings(session, records),
        figures: figures(session, records),
        going_on: ended.going_on,
        file,
    }
}

/// The graph, each stage by whether it has its result now.
fn drawn(session: &Session, plan: &Plan, records: &Records, title: &str) -> String {
    let state = |p: &plan::Planned| match &p.verdict {
        _ if records.contains_key(&p.stage) => State::Fresh,
        Verdict::Blocked(_) => State::Blocked,
        _ => State::Stale,
    };
    let states = plan.stages.iter().map(|p| (p.stage, state(p))).collect();
    graph::svg(&graph::build(title, &session.pipeline, &states, false))
}

/// All stages, in the order of the file.
fn stages(session: &Session, plan: &Plan, ended: &Ended<'_>, records: &Records) -> Vec<Stage> {
    let lines: BTreeMap<&str, &StageLine> =
        ended.lines.iter().map(|l| (l.name.as_str(), l)).collect();
    let planned: BTreeMap<usize, &plan::Planned> =
        plan.stages.iter().map(|p| (p.stage, p)).collect();
    let stage = |(at, stage): (usize, &spec::Stage)| {
        let line = lines.get(stage.name.as_str());
        let planned = planned.get(&at);
        let record = records.get(&at);
        let reasons = planned.map(|p| (ended.why)(&p.verdict)).unwrap_or_default();
        let (state, why) = match (line, record, planned) {
            (Some(line), _, _) if line.end == StageEnd::Failed => ("failed", line.message.clone()),
            (Some(line), _, _) if line.end == StageEnd::Stopped => ("stopped", String::new()),
            (Some(_), Some(_), _) => ("done", reasons.join("; ")),
            (None, Some(_), _) => ("fresh", String::new()),
            (_, None, Some(p)) if matches!(p.verdict, Verdict::Blocked(_)) => {
                ("blocked", reasons.join("; "))
            }
            (_, None, Some(_)) => ("not run", reasons.join("; ")),
            (_, None, None) => ("not asked for", String::new()),
        };
        let fact = |name: &str| record.and_then(|(_, r)| r.facts.get(name)?.as_f64());
        Stage {
            name: stage.name.clone(),
            kind: stage.kind.name().to_owned(),
            state: state.to_owned(),
            why,
            seconds: fact("seconds"),
            mib: fact("peak_gpu_memory_mib").or_else(|| fact("peak_memory_mib")),
            key: record.map(|(key, _)| key.to_string()),
        }
    };
    session
        .pipeline
        .stages
        .iter()
        .enumerate()
        .map(stage)
        .collect()
}

fn tables(session: &Session, records: &Records) -> Vec<Table> {
    let has_cells = |record: &Record| record.output("cells.csv").is_some();
    let of = records.iter().filter(|(_, (_, record))| has_cells(record));
    let table = |(at, (key, _)): (&usize, &(Key, Record))| Table {
        name: session.pipeline.stages[*at].name.clone(),
        folder: session.store.output_dir(key),
    };
    of.map(table).collect()
}

fn figures(session: &Session, records: &Records) -> Vec<Figure> {
    let mut found = Vec::new();
    for (at, (key, record)) in records {
        let name = &session.pipeline.stages[*at].name;
        if record.output("figure.png").is_some() {
            let text = session.store.output_dir(key).join("figure.txt");
            found.push(Figure {
                name: name.clone(),
                file: format!(
                    "{name}.{}",
                    if record.output("figure.svg").is_some() {
                        "svg"
                    } else {
                        "png"
                    }
                ),
                caption: files::read_to_string(&text, 1 << 20).unwrap_or_default(),
            });
        }
    }
    found
}

fn trainings(session: &Session, records: &Records) -> Vec<Training> {
    let of = records
        .iter()
        .filter(|(_, (_, record))| record.output(artifacts::steps::FILE).is_some());
    let training = |(at, (key, _)): (&usize, &(Key, Record))| Training {
        name: session.pipeline.stages[*at].name.clone(),
        folder: session.store.output_dir(key),
    };
    of.map(training).collect()
}
