//! Runs the plan of a session on this machine, and notes what came of it.
//! Unaware of who asked and of how events are shown.

use diagnostics::Severity;
use diagnostics::shown::counted;
use plan::{Plan, Planned, Verdict};
use spec::kinds::Sandbox;
use spec::{Kind, Runs};
use store::{Facts, Key, Status};

use crate::error::Error;
use crate::executors::{Executors, ReportExecutor};
use crate::external;
use crate::run::{
    CommandExecutor, Display, Outcome, PATIENCE, ProcessExecutor, Run, ShortNames, Stop,
    Supervisor, most_threads,
};
use crate::session::Session;

/// An error where the cache may only be read and something has to run.
pub fn check_nothing_to_do(session: &mut Session) -> Result<(), Error> {
    let (_, to_run, _) = session.plan().counts();
    if to_run > 0 {
        return session.check_writable();
    }
    if let Some(denied) = &session.denied {
        session.warn(&format!(
            "{denied}; nothing has to run, and this run is not noted"
        ));
    }
    Ok(())
}

/// Stages that ask for more threads than this machine has any use for: one warning for all.
pub fn warn_of_threads(session: &Session, plan: &Plan) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = most_threads(cores);
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
        session.warn(&format!("`{name}`{others} asks for {threads} threads; this machine has {cores} cores, and gives it {most}"
        ));
    }
}

/// What to say once where commands and workers are going to run without the walls that they would have.
pub fn walls_notice(session: &Session, plan: &Plan) -> Option<String> {
    let wants_walls = |planned: &Planned| {
        let kind = &session.pipeline.stages[planned.stage].kind;
        let is_wanted = match kind {
            Kind::Command(command) => command.sandbox == Sandbox::Auto,
            _ => matches!(kind.runs(), Runs::Worker(_)),
        };
        matches!(planned.verdict, Verdict::Stale(_)) && is_wanted
    };
    let mut wanting = plan.stages.iter().filter(|planned| wants_walls(planned));
    wanting.clone().next()?;
    let note = |while_what: &str, why: &str| {
        format!(
            "no walls around the project while {while_what}: {why}; what a stage does not declare, it can read and write \
             by its path (docs/sandbox.md)"
        )
    };
    if let Some(why) = session.walls.missing() {
        return Some(note("stages run", why));
    }
    if !session.walls.level().is_enforced() {
        return None;
    }
    let (name, path) = wanting.find_map(|planned| {
        let stage = &session.pipeline.stages[planned.stage];
        let is_worker = matches!(stage.kind.runs(), Runs::Worker(_));
        let path = session.walls.opened_by(stage).filter(|_| is_worker)?;
        Some((&stage.name, path))
    })?;
    let why = format!(
        "it reads images in `{}`, which is or holds the project folder or its cache",
        files::Name(&plan::tidy(path))
    );
    Some(note(&format!("`{name}` runs"), &why))
}

/// Who starts processes, where any are going to be started.
pub fn supervisor(session: &Session, plan: &Plan) -> Result<Supervisor, Error> {
    let starts = |planned: &Planned| {
        let is_report = session.pipeline.stages[planned.stage].kind.is_report();
        matches!(planned.verdict, Verdict::Stale(_)) && !is_report
    };
    if !plan.stages.iter().any(starts) {
        return Ok(Supervisor::idle());
    }
    let started = Supervisor::start(session.store.run_lock()?);
    let supervisor = started.map_err(|e| {
        Error::failed(
            format!("cannot start what looks after the processes of stages: {e}"),
            "the limits of processes and threads of this user may be used up: `ulimit -u`",
        )
    })?;
    if supervisor.why_open().is_some() {
        session.store.separate_tries();
    }
    Ok(supervisor)
}

/// How stages are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How<'a> {
    /// The most stages at once; as many as there are cores where none is said.
    pub jobs: Option<usize>,
    /// Whether to go on with what does not depend on a failed stage.
    pub keep_going: bool,
    /// Whether results of the same bytes and states of shorter trainings may be taken over.
    pub reuses: bool,
    /// The run's name in the history, for the records of what it makes; none where it is not in there.
    pub run: Option<&'a str>,
}

/// Runs what is stale in the plan, on this machine. All that was started has ended when this returns, and all results are
/// on disk.
pub fn execute(
    session: &Session,
    plan: &Plan,
    how: How<'_>,
    stop: &Stop,
    supervisor: &Supervisor,
    display: &mut dyn Display,
) -> Outcome {
    let committer = session.store.committer();
    let reports = ReportExecutor {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
    };
    let process = session.worker.clone().map(|worker| ProcessExecutor {
        worker,
        libraries: session.facts.as_ref().map_or(&[], |facts| &facts.libraries),
        pipeline: &session.pipeline,
        walls: &session.walls,
        stop,
        supervisor,
    });
    let commands = CommandExecutor {
        short: ShortNames::new(session.store.root()),
        pipeline: &session.pipeline,
        store: &session.store,
        walls: &session.walls,
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
        patience: PATIENCE,
        cores,
        gpus: &session.gpus,
        visible: &session.visible,
        jobs: how.jobs.unwrap_or(cores),
        keep_going: how.keep_going,
        keep_consumers: session.keep_consumers,
        reuses: how.reuses,
        keep_decoded: session.keep_decoded,
        machine: made_by(session, how.run),
        device: session.device,
        clock: &now,
        watch: &|at| external::watch(session, at),
        stop,
    };
    let outcome = run.run(display);
    let mut failures = committer.finish();
    // One whose files somebody took away meanwhile may have been made again.
    failures.retain(|(key, _)| session.store.made(key).is_none());
    for (key, error) in &failures {
        session.tell(
            Severity::Error,
            &format!("{key:.12}: its result was not kept: {error}"),
        );
    }
    Outcome {
        ran: outcome.ran - failures.len().min(outcome.ran),
        failed: outcome.failed + failures.len(),
        ..outcome
    }
}

/// Notes the keys that have changed since they were last noted, so that the next plan can say what changed.
pub fn remember(session: &Session, plan: &Plan) {
    let known = session.store.last_keys(&session.pipeline_path());
    let name = |at: usize| &session.pipeline.stages[at].name;
    let mut keys: Vec<(String, Key)> = Vec::new();
    for planned in &plan.stages {
        let Some(key) = planned.key else { continue };
        let is_known = known.get(name(planned.stage)) == Some(&key);
        let is_done = || {
            planned.verdict == Verdict::Fresh
                || matches!(session.store.presence(&key), Status::Fresh(_))
        };
        if !is_known && is_done() {
            keys.push((name(planned.stage).clone(), key));
        }
    }
    let noted = session.store.note_keys(&session.pipeline_path(), &keys);
    if let Err(error) = noted.and_then(|()| session.store.save_memo()) {
        session.warn(&format!(
            "{error}; the next plan may explain less and look at more"
        ));
    }
}

/// Bytes that the last states of trainings may take, unless the variable says otherwise.
const STATES: u64 = 512 << 20;

/// The variable that says how many bytes they may take: `2G`.
pub const STATES_VARIABLE: &str = "PIPELINE_KEEP_STATES";

/// Keeps the last states of trainings within their bound; what was said of it, if any went.
pub fn trim_states(session: &Session) -> Result<Option<String>, Error> {
    let named = std::env::var(STATES_VARIABLE).unwrap_or_default();
    let most = match named.trim() {
        "" => STATES,
        text => spec::amount(text).ok_or_else(|| {
            Error::usage(
                format!("{STATES_VARIABLE}: expected a number of bytes, found `{text}`"),
                format!("write {STATES_VARIABLE}=2G, or 0 to keep none"),
            )
        })?,
    };
    let freed = session.store.trim_states(most)?;
    Ok((freed.files > 0).then(|| {
        format!(
            "note: removed the last states of {}, the oldest ones: longer trainings start from those that are left \
             ({STATES_VARIABLE}=2G keeps more, now {} MiB)",
            counted(freed.files as usize, "training"),
            most >> 20
        )
    }))
}

/// What a record says of who made it: the machine, and the run.
fn made_by(session: &Session, run: Option<&str>) -> Facts {
    let facts = machine(session);
    match run {
        Some(run) => facts.with("run", run),
        None => facts,
    }
}

/// What a record says of the machine.
pub fn machine(session: &Session) -> Facts {
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
