//! `pipeline run`: makes everything fresh, puts the outputs of commands in place, then shows the tables.
//! Unaware of how stages compute.
//!
//! ```text
//!   plan ── verify what will be read ── journal: begin ── run ── place outputs ── note keys ── reports ── check ── journal: end
//! ```

use std::sync::Arc;
use std::time::Instant;

use store::{Facts, Key, Presence};

use super::args::RunArgs;
use super::executor::{Executors, ReportExecutor};
use super::session::{Access, Session};
use super::{
    Exit, Fatal, check, data, display, hints, outside, place, publish, recording, say, secrets,
    signals, verify,
};
use engine::run::{
    self, CommandExecutor, Display, LinkShelf, Outcome, ProcessExecutor, Run, Stop, Supervisor,
};
use plan::{Plan, Planned, Verdict};

/// Runs the pipeline. Exit 1 when a stage failed or is blocked, 3 when a table is not as expected, 130 when
/// interrupted.
pub fn run(args: &RunArgs) -> Result<Exit, Fatal> {
    let mut session = Session::open(&args.pipeline, Access::Write)?;
    if session.denied.is_some() {
        check_nothing_to_do(&mut session)?;
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
    say_fewer_threads(&session, &plan);
    let stop = signals::watch()?;
    let (_, to_run, _) = plan.counts();
    let begin = Instant::now();
    let supervisor = supervisor(&session, &plan)?;
    let journal = match session.denied {
        Some(_) => None,
        None => recording::begin(&session, &plan, &machine(&session)),
    };
    let mut display = recording::Recording::new(display::choose(&args.pipeline, to_run), journal);
    let outcome = execute(args, &session, &plan, &stop, &supervisor, &mut display);
    drop(supervisor); // nothing that was started lives on
    let result = conclude(args, &session, &plan, outcome).and_then(|()| match exit_of(outcome) {
        Exit::Done => check::check(&checks, args, &session, &plan),
        exit => Ok(exit),
    });
    for hint in hints::hints(&session.pipeline, &plan) {
        say(&hint);
    }
    let code = result.as_ref().map_or(Exit::Failed, |exit| *exit);
    display.end(&session, outcome, code as u8, begin.elapsed());
    // The process ends now; to free thousands of stages one by one would take a tenth of a run with nothing to do.
    std::mem::forget((session.pipeline, plan));
    result
}

/// A cache that may only be read will do for a run that has nothing to run.
fn check_nothing_to_do(session: &mut Session) -> Result<(), Fatal> {
    let (_, to_run, _) = session.plan().counts();
    if to_run > 0 {
        return session.check_writable();
    }
    if let Some(denied) = &session.denied {
        say(&format!(
            "warning: {denied}; nothing has to run, and this run is not noted"
        ));
    }
    Ok(())
}

/// Stages that ask for more threads than this machine has any use for, said once.
fn say_fewer_threads(session: &Session, plan: &Plan) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = run::most_threads(cores);
    let stale = plan
        .stages
        .iter()
        .filter(|p| matches!(p.verdict, Verdict::Stale(_)));
    let mut asking = stale.filter_map(|planned| {
        let stage = &session.pipeline.stages[planned.stage];
        let threads = stage.resources.threads.filter(|n| *n as usize > most)?;
        Some((&stage.name, threads))
    });
    if let Some((name, threads)) = asking.next() {
        let others = match asking.count() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        say(&format!(
            "warning: `{name}`{others} asks for {threads} threads; this machine has {cores} cores, and gives it {most}"
        ));
    }
}

/// Who starts processes, where any are going to be started.
fn supervisor(session: &Session, plan: &Plan) -> Result<Supervisor, Fatal> {
    let starts = |planned: &Planned| {
        let is_report = session.pipeline.stages[planned.stage].kind.is_report();
        matches!(planned.verdict, Verdict::Stale(_)) && !is_report
    };
    if !plan.stages.iter().any(starts) {
        return Ok(Supervisor::idle());
    }
    let started = Supervisor::start(session.store.run_lock()?);
    let supervisor = started.map_err(|e| {
        Fatal::failed(
            format!("cannot start what looks after the processes of stages: {e}"),
            "the limits of processes and threads of this user may be used up: `ulimit -u`",
        )
    })?;
    if supervisor.why_open().is_some() {
        session.store.separate_tries();
    }
    Ok(supervisor)
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
fn conclude(args: &RunArgs, session: &Session, plan: &Plan, outcome: Outcome) -> Result<(), Fatal> {
    let placed = place::place(session, plan);
    if session.denied.is_none() {
        remember(session, plan);
    }
    let placed = placed?;
    if placed > 0 && !args.pipeline.json && !args.pipeline.quiet {
        let s = if placed == 1 { "" } else { "s" };
        say(&format!("{placed} output{s} put in place"));
    }
    let reports = publish::publish(session, plan)?;
    if !outcome.interrupted && !args.pipeline.json && !args.pipeline.quiet {
        publish::show_tables(session, &reports, exit_of(outcome) == Exit::Done);
    }
    Ok(())
}

fn execute(
    args: &RunArgs,
    session: &Session,
    plan: &Plan,
    stop: &Arc<Stop>,
    supervisor: &Supervisor,
    display: &mut dyn Display,
) -> Outcome {
    let (_, to_run, _) = plan.counts();
    if to_run > 0 && !args.pipeline.json && !args.pipeline.quiet {
        say(&format!(
            "{}: {to_run} stage{} to run on {}",
            session.pipeline.file.display(),
            if to_run == 1 { "" } else { "s" },
            session.device
        ));
    }
    let committer = session.store.committer();
    let reports = ReportExecutor {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
    };
    let process = session.worker.clone().map(|worker| ProcessExecutor {
        worker,
        stop,
        supervisor,
    });
    let commands = CommandExecutor {
        shelf: LinkShelf::default(),
        pipeline: &session.pipeline,
        store: &session.store,
        root: &session.root,
        stop,
        supervisor,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let run = Run {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
        committer: &committer,
        executor: &Executors {
            process,
            reports,
            commands,
        },
        cores,
        gpus: &session.gpus,
        visible: &session.visible,
        jobs: args.jobs.map_or(cores, |n| n as usize),
        keep_going: args.keep_going,
        keep_consumers: args.pipeline.keep_consumers,
        // What is checked is computed from its beginning.
        from_shorter: args.check.is_empty(),
        machine: machine(session),
        device: session.device,
        clock: &now,
        watch: &|at| outside::watch(session, at),
        stop,
    };
    let outcome = run.run(display);
    let mut failures = committer.finish();
    // One whose files somebody took away meanwhile may have been made again.
    failures.retain(|(key, _)| session.store.made(key).is_none());
    for (key, error) in &failures {
        say(&format!(
            "error: {key:.12}: its result was not kept: {error}"
        ));
    }
    Outcome {
        ran: outcome.ran - failures.len().min(outcome.ran),
        failed: outcome.failed + failures.len(),
        ..outcome
    }
}

/// Notes the keys that have changed since they were last noted, so that the next plan can say what changed.
fn remember(session: &Session, plan: &Plan) {
    let known = session.store.last_keys(&session.pipeline_path());
    let name = |at: usize| &session.pipeline.stages[at].name;
    let mut keys: Vec<(String, Key)> = Vec::new();
    for planned in &plan.stages {
        let Some(key) = planned.key else { continue };
        let is_known = known.get(name(planned.stage)) == Some(&key);
        let is_done = || {
            planned.verdict == Verdict::Fresh
                || matches!(session.store.presence(&key), Presence::Fresh(_))
        };
        if !is_known && is_done() {
            keys.push((name(planned.stage).clone(), key));
        }
    }
    let noted = session.store.note_keys(&session.pipeline_path(), &keys);
    if let Err(error) = noted.and_then(|()| session.store.save_memo()) {
        say(&format!(
            "warning: {error}; the next plan may explain less and look at more"
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

/// The time as it is recorded: RFC 3339, UTC.
fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
