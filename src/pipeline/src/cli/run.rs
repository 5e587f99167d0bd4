//! `pipeline run`: makes everything fresh, puts the outputs of commands in place, then shows the tables.
//! Unaware of how stages compute.
//!
//! ```text
//!   plan ── verify what will be read ── journal: begin ── run ── place outputs ── note keys ── reports ── check ── journal: end
//! ```

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use diagnostics::Severity;
use engine::execute::{self, How};
use engine::live::Live;
use engine::page::{self, Ended};
use engine::publish::{MAX_BYTES, Published, publish};
use engine::recording::{self, Recording};
use engine::run::Outcome;
use engine::session::{Access, Session};
use engine::{materialize, secrets, verify};
use plan::Plan;
use serde_json::{Value, json};
use spec::Device;

use super::args::RunArgs;
use super::estimates::Estimates;
use super::{
    Exit, Fatal, check, data, display, fit, hints, open, print, print_json, say, screen, signals,
    why,
};

/// Runs the pipeline. Exit 1 when a stage failed or is blocked, 3 when a table is not as expected, 130 when
/// interrupted.
pub fn run(args: &RunArgs) -> Result<Exit, Fatal> {
    let mut session = open(&args.pipeline, Access::Write)?;
    if session.denied.is_some() {
        execute::check_nothing_to_do(&mut session)?;
    }
    let session = session;
    let (plan, _lease) = verify::verified_plan(&session)?;
    let checks = check::wanted(args, &session, &plan)?;
    secrets::check(&session.pipeline, &plan)?;
    if !args.pipeline.quiet {
        for notice in data::notices(&data::states_of(&session, &plan)) {
            say(&notice);
        }
    }
    execute::warn_of_threads(&session, &plan);
    if let Some(notice) = execute::walls_notice(&session, &plan) {
        session.tell(Severity::Note, &notice);
    }
    let stop = signals::watch()?;
    let (_, to_run, _) = plan.counts();
    let begin = Instant::now();
    let supervisor = execute::supervisor(&session, &plan)?;
    let journal = match session.denied {
        Some(_) => None,
        None => recording::begin(&session, &plan, &execute::machine(&session)),
    };
    let (header, journal) = journal.unzip();
    // Before anything is drawn below it.
    let is_loud = !args.pipeline.json && !args.pipeline.quiet;
    if to_run > 0 && is_loud {
        let (file, device) = (session.pipeline.file.display(), session.device);
        let s = if to_run == 1 { "" } else { "s" };
        say(&format!("{file}: {to_run} stage{s} to run on {device}"));
    }
    let mut display = Recording::new(
        display::choose(
            &args.pipeline,
            to_run,
            || Estimates::new(&session, &plan),
            &gpus(&session),
        ),
        journal,
    );
    let how = How {
        jobs: args.jobs.map(|n| n as usize),
        keep_going: args.keep_going,
        // What is checked is computed from its beginning.
        reuses: args.check.is_empty(),
        run: header.as_ref().map(|h| h.id.as_str()),
    };
    let mut live = Live {
        inner: &mut display,
        session: &session,
        plan: &plan,
        header: header.as_ref(),
        why: why::details,
        due: None,
    };
    let outcome = execute::execute(&session, &plan, how, &stop, &supervisor, &mut live);
    drop(supervisor); // nothing that was started lives on
    let ended = Ended {
        header: header.as_ref(),
        lines: display.lines(),
        why: why::details,
        going_on: false,
    };
    let result =
        conclude(args, &session, &plan, outcome, &ended).and_then(|()| match exit_of(outcome) {
            Exit::Done => check::check(&checks, args, &session, &plan),
            exit => Ok(exit),
        });
    for hint in hints::hints(&session.pipeline, &plan) {
        say(&hint);
    }
    if args.pipeline.json {
        print_json(&format!("{}\n", display::json::finished(outcome)));
    }
    let code = result.as_ref().map_or(Exit::Failed, |exit| *exit);
    display.end(&session, outcome, code as u8, begin.elapsed());
    // The process ends now; to free thousands of stages one by one would take a tenth of a run with nothing to do.
    std::mem::forget((session.pipeline, plan));
    result
}

/// The GPUs that stages are given, as the driver calls them; none on the processor.
fn gpus(session: &Session) -> Vec<String> {
    let name = |&index: &usize| session.visible.get(index).cloned();
    match session.device {
        Device::Cpu => Vec::new(),
        Device::Cuda(_) => session.gpus.iter().filter_map(name).collect(),
    }
}

const fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome {
            interrupted: true, ..
        } => Exit::Interrupted,
        Outcome {
            failed: 0,
            not_run: 0,
            ..
        } => Exit::Done,
        _ => Exit::Failed,
    }
}

/// What comes after the stages.
fn conclude(
    args: &RunArgs,
    session: &Session,
    plan: &Plan,
    outcome: Outcome,
    ended: &Ended<'_>,
) -> Result<(), Fatal> {
    let placed = materialize::materialize(session, plan);
    if session.denied.is_none() {
        execute::remember(session, plan);
        match execute::trim_states(session) {
            Ok(Some(text)) if !args.pipeline.quiet => say(&text),
            Ok(_) => {}
            Err(error) => session.warn(&error.diagnostics.headline()),
        }
    }
    let placed = placed?;
    if placed > 0 && !args.pipeline.json && !args.pipeline.quiet {
        let s = if placed == 1 { "" } else { "s" };
        say(&format!("{placed} output{s} put in place"));
    }
    let reports = publish(session, plan, ended)?;
    if args.pipeline.json {
        print_json(&format!("{}\n", told(ended, &reports)));
    }
    if !outcome.interrupted && !args.pipeline.json && !args.pipeline.quiet {
        show_tables(args, session, &reports, exit_of(outcome) == Exit::Done);
    }
    Ok(())
}

/// For programs: the run, where its reports lie, and its tables with their values.
fn told(ended: &Ended<'_>, published: &Published) -> Value {
    let page = published
        .folder
        .as_ref()
        .map(|folder| folder.join(page::FILE));
    let table = |(name, path): &(String, PathBuf)| json!({"name": name, "rows": rows(path)});
    json!({
        "event": "reports",
        "run": ended.header.map(|header| &header.id),
        "started": ended.header.map(|header| &header.started),
        "ended": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        "folder": published.folder,
        "page": page.filter(|page| page.is_file()),
        "tables": published.tables.iter().map(table).collect::<Vec<_>>(),
    })
}

/// The rows of a `table.csv`, each by the names of its columns; what is a number is one.
fn rows(path: &Path) -> Vec<Value> {
    let text = files::read_to_string(path, MAX_BYTES).unwrap_or_default();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let value = |text: &str| match text.parse::<f64>() {
        Ok(number) if number.is_finite() => json!(number),
        _ if text.is_empty() => Value::Null,
        _ => json!(text),
    };
    let row = |record: csv::StringRecord| -> Value {
        let cells = header.iter().zip(&record);
        cells
            .map(|(name, text)| (name.to_owned(), value(text)))
            .collect()
    };
    reader.records().filter_map(Result::ok).map(row).collect()
}

/// Prints the tables, where they lie, and what to do next.
fn show_tables(args: &RunArgs, session: &Session, published: &Published, complete: bool) {
    let read = |path: &PathBuf| files::read_to_string(path, MAX_BYTES).unwrap_or_default();
    let texts: Vec<String> = published.texts.iter().map(read).collect();
    print(&fit::shown(&texts, screen::width()));
    if let Some(folder) = &published.folder {
        let shown = std::env::current_dir()
            .ok()
            .and_then(|here| folder.strip_prefix(here).ok().map(Path::to_owned));
        let folder = shown.as_ref().unwrap_or(folder);
        let width = screen::width();
        let reports = format!("reports: {}/", folder.display());
        let what = "  (text, CSV, Markdown, LaTeX, pictures)";
        print(&format!("\n{}", fit::with_remark(&reports, what, width)));
        let page = folder.join(page::FILE);
        if page.is_file() {
            print(&format!("page:    {}\n", page.display()));
        }
    }
    if complete {
        let again = session.command("run", &args.pipeline.stages);
        let remark = "  # runs only what has changed";
        print(&fit::command("again:   ", &again, remark, screen::width()));
    }
}
