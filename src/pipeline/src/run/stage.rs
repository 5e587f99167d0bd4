//! One stage from claim to commit, in a thread of its own.
//! Unaware of other stages, and of how the executor computes.

use std::time::{Duration, Instant};

use spec::{Event, FailureReport, JOB_FORMAT, Job};
use store::{Claim, Facts, Key, StoreError, Ticket};

use super::Run;
use crate::plan;

/// The time as it is recorded: RFC 3339.
pub type Clock = dyn Fn() -> String + Sync;

/// A stage that is to be computed.
pub struct Task<'a> {
    /// What to do and where.
    pub job: &'a Job,
    /// Index into the pipeline's stages.
    pub stage: usize,
    /// Lock and folders.
    pub ticket: &'a Ticket,
    /// Where everything goes that the stage prints.
    pub log: std::path::PathBuf,
}

/// Computes stages. What it leaves in the ticket's `out` folder becomes the result.
pub trait Executor: Sync {
    /// Computes one stage and returns facts for its record.
    fn execute(&self, task: &Task<'_>, on_event: &dyn Fn(Event)) -> Result<Facts, Failure>;
}

/// Why a stage failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What happened and what to do.
    pub report: FailureReport,
    /// Where its full output lies.
    pub log: Option<std::path::PathBuf>,
}

impl Failure {
    /// A failure with a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let report = FailureReport {
            message: message.into(),
            hint: hint.into(),
            interrupted: false,
        };
        Self { report, log: None }
    }

    fn interrupted() -> Self {
        let mut failure = Self::new("interrupted", "");
        failure.report.interrupted = true;
        failure
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}

/// How a stage ended that did not fail.
pub(super) struct Finish {
    pub seconds: f64,
    pub by_other: bool,
}

/// Claims the key, computes it unless another run has meanwhile, and commits.
pub(super) fn run(
    run: &Run<'_>,
    at: usize,
    threads: usize,
    on_event: &dyn Fn(Event),
) -> Result<Finish, Failure> {
    let begin = Instant::now();
    let (key, manifest) = planned(run, at)?;
    if run.is_forced(at) {
        forget(run, &key)?;
    }
    let Some(ticket) = claim(run, &key, on_event)? else {
        return Ok(Finish {
            seconds: begin.elapsed().as_secs_f64(),
            by_other: true,
        });
    };
    let job = job(run, at, threads, &ticket);
    let log = run.store.log_path(&key);
    let begin = Instant::now();
    let task = Task {
        job: &job,
        stage: at,
        ticket: &ticket,
        log,
    };
    let facts = run.executor.execute(&task, on_event)?;
    let changed = "run again; results are only kept when their inputs stayed as they were";
    (run.unchanged)(at).map_err(|message| Failure::new(message, changed))?;
    let seconds = begin.elapsed().as_secs_f64();
    let kind = &run.pipeline.stages[at].kind;
    let facts = all_facts(run, facts, seconds, threads);
    ticket.commit(kind.name(), &manifest, plan::outputs(kind), facts)?;
    Ok(Finish {
        seconds,
        by_other: false,
    })
}

fn planned(run: &Run<'_>, at: usize) -> Result<(Key, String), Failure> {
    let planned = run.plan.get(at);
    let key = planned.and_then(|p| p.key.map(|k| (k, p.manifest.clone())));
    key.ok_or_else(|| {
        Failure::new(
            "the stage has no key",
            "this is a defect of pipeline; please report it",
        )
    })
}

/// Moves a result out of the way that `--force` wants anew. Another run may be at it: then its result will do.
fn forget(run: &Run<'_>, key: &Key) -> Result<(), Failure> {
    match run.store.set_aside(key) {
        Ok(_) | Err(StoreError::Absent { .. } | StoreError::Busy { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The right to compute, or nothing when another run has committed the same key while this one waited.
fn claim(run: &Run<'_>, key: &Key, on_event: &dyn Fn(Event)) -> Result<Option<Ticket>, Failure> {
    let mut told = false;
    loop {
        match run.store.ticket(key)? {
            Claim::Ready(ticket) => return Ok(Some(ticket)),
            Claim::Done(_) => return Ok(None),
            Claim::Busy if run.stop.level() > 0 => return Err(Failure::interrupted()),
            Claim::Busy => {
                if !told {
                    let message = "another run is at this stage; waiting for its result".into();
                    on_event(Event::Note { message });
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn job(run: &Run<'_>, at: usize, threads: usize, ticket: &Ticket) -> Job {
    let stage = &run.pipeline.stages[at];
    let folder = |input: usize| {
        run.plan
            .get(input)
            .and_then(|p| p.key)
            .map(|key| run.store.output_dir(&key))
    };
    let inputs = stage
        .inputs
        .iter()
        .filter_map(|e| folder(e.stage).map(|f| (e.role.clone(), f)));
    Job {
        format: JOB_FORMAT,
        key: ticket.key().to_string(),
        stage: stage.kind.clone(),
        inputs: inputs.collect(),
        out: ticket.out().to_owned(),
        state: ticket.state().to_owned(),
        device: run.device,
        threads,
        checkpoint_seconds: stage.resources.checkpoint_seconds(),
    }
}

/// What the key does not determine, beside what the executor found out.
fn all_facts(run: &Run<'_>, executor: Facts, seconds: f64, threads: usize) -> Facts {
    let mut facts = run.machine.clone();
    facts.0.extend(executor.0);
    facts
        .with("seconds", seconds)
        .with("threads", threads)
        .with("device", run.device.to_string())
        .with("finished", (run.clock)())
}
