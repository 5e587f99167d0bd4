//! `pipeline run`: makes everything fresh, then shows the tables.
//! Unaware of how stages compute.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spec::{Kind, Pipeline};
use store::{Facts, Key, Presence, StoreError};

use super::args::RunArgs;
use super::executor::{Executors, TableExecutor};
use super::session::{Access, Session};
use super::{Exit, Fatal, display, print, say, signals};
use crate::plan::{Plan, Reason, Verdict};
use crate::run::{Outcome, ProcessExecutor, Run, Stop};

/// Runs the pipeline. Exit 1 when a stage failed or is blocked, 130 when interrupted.
pub fn run(args: &RunArgs) -> Result<Exit, Fatal> {
    let session = Session::open(&args.pipeline, Access::Write)?;
    let plan = verified_plan(&session)?;
    let stop = signals::watch()?;
    let outcome = execute(args, &session, &plan, &stop);
    remember(&session, &plan);
    let reports = publish(&session, &plan)?;
    if !outcome.interrupted && !args.pipeline.json && !args.pipeline.quiet {
        show_tables(&session, &reports, outcome.failed == 0);
    }
    Ok(match outcome {
        Outcome {
            interrupted: true, ..
        } => Exit::Interrupted,
        Outcome { failed: 0, .. } => Exit::Done,
        _ => Exit::Failed,
    })
}

fn execute(args: &RunArgs, session: &Session, plan: &Plan, stop: &Arc<Stop>) -> Outcome {
    let (_, to_run, _) = plan.counts();
    let mut display = display::choose(&args.pipeline, to_run);
    if to_run > 0 && !args.pipeline.json && !args.pipeline.quiet {
        say(&format!(
            "{}: {to_run} stage{} to run on {}",
            session.pipeline.file.display(),
            if to_run == 1 { "" } else { "s" },
            session.device
        ));
    }
    let tables = TableExecutor {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
    };
    let process = session
        .worker
        .clone()
        .map(|worker| ProcessExecutor { worker, stop });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let run = Run {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
        executor: &Executors { process, tables },
        cores,
        jobs: args.jobs.map_or(cores, |n| n as usize),
        keep_going: args.keep_going,
        machine: machine(session),
        device: session.device,
        clock: &now,
        unchanged: &|at| session.unchanged(at),
        stop,
    };
    run.run(display.as_mut())
}

/// The plan, with every stored result that a stale stage is going to read verified by its bytes. A damaged one is moved
/// aside, said, and planned anew.
fn verified_plan(session: &Session) -> Result<Plan, Fatal> {
    let mut checked: BTreeSet<Key> = BTreeSet::new();
    let mut moved: BTreeSet<Key> = BTreeSet::new();
    loop {
        let plan = session.plan();
        let mut damaged = seen_damage(session, &plan);
        damaged.extend(damaged_inputs(session, &plan, &mut checked));
        damaged.retain(|(_, key)| moved.insert(*key));
        if damaged.is_empty() {
            return Ok(plan);
        }
        for (name, key) in damaged {
            let folder = match session.store.set_aside(&key) {
                Ok(folder) => folder,
                // Another run has seen it too and is at it.
                Err(StoreError::Absent { .. } | StoreError::Busy { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let text = "is not what was stored; it is moved aside and computed again";
            say(&format!(
                "warning: the result of `{name}` {text} ({})",
                folder.display()
            ));
        }
    }
}

/// Stages whose damage shows without reading every byte.
fn seen_damage(session: &Session, plan: &Plan) -> Vec<(String, Key)> {
    let is_damaged = |verdict: &Verdict| {
        let damage = |r: &Reason| matches!(r, Reason::OutputDamaged(_));
        matches!(verdict, Verdict::Stale(reasons) if reasons.iter().any(damage))
    };
    let damaged = plan.stages.iter().filter(|p| is_damaged(&p.verdict));
    let name = |at: usize| session.pipeline.stages[at].name.clone();
    damaged
        .filter_map(|p| p.key.map(|key| (name(p.stage), key)))
        .collect()
}

fn damaged_inputs(
    session: &Session,
    plan: &Plan,
    checked: &mut BTreeSet<Key>,
) -> Vec<(String, Key)> {
    let stale = plan
        .stages
        .iter()
        .filter(|p| matches!(p.verdict, Verdict::Stale(_)));
    let inputs: BTreeSet<usize> = stale
        .flat_map(|p| {
            session.pipeline.stages[p.stage]
                .inputs
                .iter()
                .map(|e| e.stage)
        })
        .collect();
    let fresh = inputs
        .into_iter()
        .filter_map(|at| plan.get(at))
        .filter(|p| p.verdict == Verdict::Fresh);
    let mut damaged = Vec::new();
    for planned in fresh {
        let Some(key) = planned.key else { continue };
        if checked.insert(key) && !matches!(session.store.verify(&key), Presence::Fresh(_)) {
            damaged.push((session.pipeline.stages[planned.stage].name.clone(), key));
        }
    }
    damaged
}

/// Notes which key each stage has now, so that the next plan can say what changed.
fn remember(session: &Session, plan: &Plan) {
    let done = |key: &Key| matches!(session.store.presence(key), Presence::Fresh(_));
    let name = |at: usize| session.pipeline.stages[at].name.clone();
    let keys: Vec<(String, Key)> = plan
        .stages
        .iter()
        .filter_map(|p| p.key.filter(done).map(|k| (name(p.stage), k)))
        .collect();
    let noted = session.store.note_keys(&session.pipeline_path(), &keys);
    if let Err(error) = noted.and_then(|()| session.store.save_memo()) {
        say(&format!(
            "warning: {error}; the next plan may explain less and look at more"
        ));
    }
}

/// Copies finished tables to `reports/<pipeline>/<stage>.*`; returns the text files, in the order of the pipeline.
fn publish(session: &Session, plan: &Plan) -> Result<Vec<PathBuf>, Fatal> {
    let stem = session.pipeline.file.file_stem().unwrap_or_default();
    let folder = session.root.join("reports").join(stem);
    let mut texts = Vec::new();
    let mut tables: Vec<_> = plan
        .stages
        .iter()
        .filter(|p| is_table(&session.pipeline, p.stage))
        .collect();
    tables.sort_by_key(|p| p.stage);
    for planned in tables {
        let Some(key) = planned.key else { continue };
        let Presence::Fresh(record) = session.store.presence(&key) else {
            continue;
        };
        let name = &session.pipeline.stages[planned.stage].name;
        for output in &record.outputs {
            let target = folder.join(report_name(name, &output.path));
            copy_if_changed(&session.store.output_dir(&key).join(&output.path), &target).map_err(
                |e| {
                    Fatal::failed(
                        format!("cannot write `{}`: {e}", target.display()),
                        "the result is in the cache; free space or permissions are missing",
                    )
                },
            )?;
            if output.path == "table.txt" {
                texts.push(target);
            }
        }
    }
    Ok(texts)
}

fn is_table(pipeline: &Pipeline, at: usize) -> bool {
    matches!(pipeline.stages[at].kind, Kind::Table(_))
}

/// `table.csv` of the stage `alpha` becomes `alpha.csv`, `cells.csv` becomes `alpha.cells.csv`.
fn report_name(stage: &str, output: &str) -> String {
    match output.strip_prefix("table.") {
        Some(extension) => format!("{stage}.{extension}"),
        None => format!("{stage}.{output}"),
    }
}

fn copy_if_changed(from: &Path, to: &Path) -> std::io::Result<()> {
    let bytes = std::fs::read(from)?;
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    store::write_atomic(to, &bytes).map_err(|e| std::io::Error::other(e.to_string()))
}

fn show_tables(session: &Session, texts: &[PathBuf], complete: bool) {
    for path in texts {
        print(&format!(
            "\n{}",
            std::fs::read_to_string(path).unwrap_or_default()
        ));
    }
    if let Some(folder) = texts.first().and_then(|p| p.parent()) {
        let shown = std::env::current_dir()
            .ok()
            .and_then(|here| folder.strip_prefix(here).ok().map(Path::to_owned));
        let folder = shown.unwrap_or_else(|| folder.to_owned());
        print(&format!(
            "\ntables: {}/  (text, CSV, Markdown, LaTeX)\n",
            folder.display()
        ));
    }
    if complete {
        let file = session.pipeline.file.display();
        print(&format!(
            "again:  pipeline run {file}  runs only what has changed\n"
        ));
    }
}

/// What a record says of the machine.
fn machine(session: &Session) -> Facts {
    let uname = rustix::system::uname();
    let mut facts = Facts::new()
        .with("host", uname.nodename().to_string_lossy().into_owned())
        .with(
            "system",
            format!(
                "{} {}",
                uname.sysname().to_string_lossy(),
                uname.machine().to_string_lossy()
            ),
        )
        .with("pipeline", env!("CARGO_PKG_VERSION"));
    if let Some(worker) = &session.facts {
        facts.set("libtorch", worker.libtorch.clone());
    }
    facts
}

/// The time in seconds since 1970, as it is recorded.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |d| d.as_secs());
    format!("{seconds}")
}
