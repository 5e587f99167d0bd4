//! The page beside the tables: gathers what it shows of a run from the plan, the records and the history.
//! Unaware of how the page looks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use ::page::{Figure, Masks, Method, Page, Set, Shelf, Stage, Table, Training};
use plan::{Plan, Verdict};
use report::graph::{self, State};
use spec::labels::NONE;
use spec::{Around, Kind};
use store::{Key, Record};

use crate::history::{Header, StageEnd, StageLine};
use crate::session::Session;
use crate::{inside, reports};

/// What is known of a run when its page is made.
pub struct Ended<'a> {
    /// How it began; none where it is not in the history.
    pub header: Option<&'a Header>,
    /// The stages that ended.
    pub lines: &'a [StageLine],
    /// A verdict in words.
    pub why: fn(&Verdict) -> Vec<String>,
    /// Whether it goes on: the page then loads itself again.
    pub going_on: bool,
}

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

/// Whether there is anything that the page or the numbers for other tools are about. Asked before a record is read: a
/// pipeline of commands alone has thousands.
pub fn has_subject(pipeline: &spec::Pipeline) -> bool {
    pipeline.stages.iter().any(|stage| {
        let is_measured = matches!(stage.kind, spec::Kind::Evaluate(_));
        is_measured || stage.kind.is_report() || stage.kind.schedule().is_some()
    })
}

/// Writes the page into the folder of reports `below` the project; returns the names of its files, none where
/// there is nothing to show.
pub fn write(
    session: &Session,
    plan: &Plan,
    ended: &Ended<'_>,
    below: &Path,
) -> Result<Vec<String>, String> {
    let shelf = Folder {
        root: &session.root,
        below,
    };
    let page = gathered(session, plan, ended);
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
        inside::place(self.root, &self.below.join(name)).map_err(io::Error::other)?;
        reports::put(&self.path(name), bytes)
    }
}

/// The stages with results, by number.
pub type Records = BTreeMap<usize, (Key, Record)>;

/// The stages of the plan that have a result.
pub fn records(session: &Session, plan: &Plan) -> Records {
    let record = |p: &plan::Planned| {
        let key = p.key?;
        Some((p.stage, (key, session.store.record(&key).ok()??)))
    };
    plan.stages.iter().filter_map(record).collect()
}

fn gathered(session: &Session, plan: &Plan, ended: &Ended<'_>) -> Page {
    let records = records(session, plan);
    let file = reports::shown_file(&session.pipeline, &session.root);
    let sets: Vec<String> = session
        .pipeline
        .overrides
        .iter()
        .map(|o| format!(" --set {}", quoted(o)))
        .collect();
    Page {
        facts: facts(session, ended, &records),
        command: format!("pipeline run {}{}", quoted(&file), sets.concat()),
        path: format!("pipeline path --file {}{}", quoted(&file), sets.concat()),
        graph: drawn(session, plan, &records, &file),
        stages: stages(session, plan, ended, &records),
        tables: tables(session, &records),
        sets: self::sets(session, &records),
        trainings: trainings(session, &records),
        figures: figures(session, &records),
        going_on: ended.going_on,
        file,
    }
}

/// A word of a command line.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What is said of the run above everything.
fn facts(session: &Session, ended: &Ended<'_>, records: &Records) -> Vec<(String, String)> {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(header) = ended.header {
        facts.push(("run", header.id.clone()));
        facts.push(("started", header.started.clone()));
    }
    if !session.pipeline.overrides.is_empty() {
        facts.push(("--set", session.pipeline.overrides.join("  ")));
    }
    if let Some(header) = ended.header {
        if !header.env.is_empty() {
            let env = header
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            facts.push(("environment", env.collect::<Vec<_>>().join("  ")));
        }
        if let Some(git) = &header.git {
            let changed = if git.dirty == Some(true) {
                ", with changes"
            } else {
                ""
            };
            facts.push(("git commit", format!("{}{changed}", git.commit)));
        }
        let machine = header
            .machine
            .iter()
            .map(|(name, value)| match value.as_str() {
                Some(text) => format!("{name} {text}"),
                None => format!("{name} {value}"),
            });
        facts.push(("machine", machine.collect::<Vec<_>>().join(", ")));
        facts.push(("device", header.device.clone()));
    }
    let bytes: u64 = records
        .values()
        .map(|(_, record)| record.amount().bytes)
        .sum();
    facts.push((
        "results",
        format!(
            "{} stages, {:.1} MB in the cache",
            records.len(),
            bytes as f64 / 1e6
        ),
    ));
    facts
        .into_iter()
        .map(|(word, text)| (word.to_owned(), text))
        .collect()
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
                file: format!("{name}.png"),
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

/// The evaluations by the images that they are of.
fn sets(session: &Session, records: &Records) -> Vec<Set> {
    let pipeline = &session.pipeline;
    let stage = |at: usize| &pipeline.stages[at];
    let baselines: BTreeSet<usize> = pipeline
        .stages
        .iter()
        .flat_map(|s| s.inputs_of("baseline"))
        .collect();
    let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in records
        .keys()
        .filter(|at| matches!(stage(**at).kind, Kind::Evaluate(_)))
    {
        let images = stage(*at)
            .input("images")
            .filter(|i| records.contains_key(i));
        if let Some(images) = images {
            sets.entry(images).or_default().push(*at);
        }
    }
    let names = names(session, sets.keys().copied());
    let set = |(images, evaluations): (usize, Vec<usize>)| {
        let masks: BTreeSet<usize> = evaluations
            .iter()
            .filter_map(|at| stage(*at).input("masks"))
            .filter(|m| records.contains_key(m))
            .collect();
        let folder = |at: usize| session.store.output_dir(&records[&at].0);
        let models: Vec<Option<usize>> = evaluations
            .iter()
            .map(|at| stage(*at).input("model"))
            .collect();
        let method = |at: &usize| {
            let model = stage(*at).input("model");
            let is_alone = models.iter().filter(|m| **m == model).count() == 1;
            Method {
                name: model
                    .filter(|_| is_alone)
                    .map_or_else(|| stage(*at).name.clone(), |m| stage(m).name.clone()),
                stage: stage(*at).name.clone(),
                key: records[at].0.to_string(),
                folder: folder(*at),
                baseline: baselines.contains(at),
                masks: stage(*at).input("masks").map(|m| stage(m).name.clone()),
            }
        };
        Set {
            name: names[&images].clone(),
            key: records[&images].0.to_string(),
            folder: folder(images),
            methods: evaluations.iter().map(method).collect(),
            masks: masks
                .into_iter()
                .map(|at| Masks {
                    stage: stage(at).name.clone(),
                    key: records[&at].0.to_string(),
                    folder: folder(at),
                })
                .collect(),
        }
    };
    sets.into_iter().map(set).collect()
}

/// What sets of images are called: as tables call them, with the stage where that is not enough.
fn names(session: &Session, sets: impl Iterator<Item = usize>) -> BTreeMap<usize, String> {
    let stages = &session.pipeline.stages;
    let name = |at: usize| {
        let labels = Around::new(&session.pipeline, at).labels();
        let set = labels.get("set").filter(|set| *set != NONE);
        set.unwrap_or(&stages[at].name).clone()
    };
    let all: Vec<(usize, String)> = sets.map(|at| (at, name(at))).collect();
    let is_twice = |name: &String| all.iter().filter(|(_, n)| n == name).count() > 1;
    let full = |(at, name): &(usize, String)| {
        let name = if is_twice(name) {
            format!("{name} ({})", stages[*at].name)
        } else {
            name.clone()
        };
        (*at, name)
    };
    all.iter().map(full).collect()
}
