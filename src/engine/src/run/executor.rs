//! Who computes: what an executor gets, and what it answers.
//! Unaware of processes, of clusters and of what becomes of results.
//!
//! ```text
//!   submit(tasks) ──> Execution ── poll ──> events, and at last an answer for each task ──> commit, here or there
//!                        └──────── cancel
//! ```
//!
//! One that computes where it is asked is [`InPlace`]; one that hands tasks to others (a queue, a cluster) is an
//! [`Executor`] itself. What it answers late, twice or never is `attend`'s business.

use std::path::PathBuf;
use std::time::Duration;

use spec::{Event, Job, Outside};
use store::{Digest, Facts, Ticket};

use super::failure::Failure;
use super::inputs::Inputs;

/// What a stage may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Wall-clock time.
    pub timeout: Option<Duration>,
    /// Bytes of resident memory, of the child and of all that it has started.
    pub memory: Option<u64>,
}

impl Limits {
    /// The limits that a stage asks for.
    pub fn of(resources: &spec::Resources) -> Self {
        Self {
            // The file was checked; a number that it does not fit is as good as none.
            timeout: resources
                .timeout
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            memory: resources
                .memory
                .map(|gib| (gib * f64::from(1 << 30)) as u64),
        }
    }
}

/// A stage that is to be computed.
pub struct Task<'a> {
    /// What to do and where.
    pub job: &'a Job,
    /// Index into the pipeline's stages.
    pub stage: usize,
    /// Lock and folders.
    pub ticket: &'a Ticket,
    /// What a commit of its result takes, beside what is computed.
    pub order: &'a Order,
    /// What it reads of other stages' results.
    pub inputs: &'a Inputs,
    /// What it reads beside those.
    pub outside: &'a dyn Watching,
    /// Where everything goes that the stage prints.
    pub log: PathBuf,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// What it may use.
    pub limits: Limits,
    /// `CUDA_VISIBLE_DEVICES` for its process, where the run gives out GPUs.
    pub visible: Option<String>,
}

impl Task<'_> {
    /// Whether everything that the stage reads is as it was when it began: whoever commits asks before.
    pub fn has_read_what_was_planned(&self) -> bool {
        self.inputs.are_whole() && self.outside.unchanged().is_ok()
    }
}

/// What a stage reads outside, from its beginning on.
pub trait Watching: Send + Sync {
    /// A digest that stays while these very files lie there; `None` where there are none.
    fn fingerprint(&self) -> Option<Digest>;

    /// The files and what each of them held, for whoever reads them.
    fn content(&self) -> Outside {
        Outside::default()
    }

    /// Whether nobody has touched them since, or until they were read. If not, what it was, in words.
    fn unchanged(&self) -> Result<(), String>;

    /// Says that nobody reads them from now on, which is an error where somebody has touched them before.
    fn all_is_read(&self) -> Result<(), String> {
        Ok(())
    }

    /// What was touched after all was read, in words.
    fn changed_since(&self) -> Option<String> {
        None
    }
}

/// What a record says that is known before a stage is computed: whoever commits it takes it from here.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The stage's kind.
    pub kind: &'static str,
    /// The text whose hash is the key.
    pub manifest: String,
    /// Outputs that must be there.
    pub required: &'static [&'static str],
    /// The machine, what was allotted, and digests of the inputs.
    pub facts: Facts,
}

/// Whom a stage tells what happens.
pub type OnEvent<'a> = dyn Fn(Event) + Sync + 'a;

/// Whom stages that are computed together tell what happens; the number says which of the tasks it is about.
pub type OnEventOf<'a> = dyn Fn(usize, Event) + Sync + 'a;

/// How a stage was computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Computed {
    /// The outputs lie in the ticket's `out` folder, and are to be committed with these facts.
    Here(Facts),
    /// Whoever computed it has committed it as well ([`Ticket::hand_over`], `Store::take_over`), after a look at what it
    /// read ([`Task::has_read_what_was_planned`]).
    Committed,
}

/// The end of a task: which one, and what became of it.
pub type Answer = (usize, Result<Computed, Failure>);

/// How soon what was submitted shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// At its next checkpoint.
    AtCheckpoint,
    /// Now; what was not finished is lost.
    Now,
}

/// Computes stages, or has them computed.
pub trait Executor: Sync {
    /// Takes tasks that share an expensive start (`Planned::start`), nearly always one, and returns without waiting for them.
    fn submit<'t>(&'t self, tasks: &'t [Task<'t>]) -> Result<Box<dyn Execution + 't>, Failure>;
}

/// What was submitted. Dropped, it is of no interest any more.
pub trait Execution {
    /// The answers since the last call. Waits for the first one, about `wait` long at most where others compute; what is
    /// computed in place is waited for. Events go to `on_event` as they come.
    fn poll(&mut self, wait: Duration, on_event: &OnEventOf<'_>) -> Vec<Answer>;

    /// Asks for an end. An answer of each task may come all the same.
    fn cancel(&mut self, urgency: Urgency);
}

/// Computes stages in the thread that asks. What it leaves in the ticket's `out` folder becomes the result.
pub trait InPlace: Sync {
    /// Computes one stage and returns facts for its record.
    fn execute(&self, task: &Task<'_>, on_event: &OnEvent<'_>) -> Result<Facts, Failure>;

    /// Computes stages that share an expensive start, a result for each. One after the other, unless an executor knows
    /// better.
    fn execute_together(
        &self,
        tasks: &[Task<'_>],
        on_event: &OnEventOf<'_>,
    ) -> Vec<Result<Facts, Failure>> {
        let one = |(n, task)| self.execute(task, &|event| on_event(n, event));
        tasks.iter().enumerate().map(one).collect()
    }
}

impl<E: InPlace> Executor for E {
    fn submit<'t>(&'t self, tasks: &'t [Task<'t>]) -> Result<Box<dyn Execution + 't>, Failure> {
        Ok(Box::new(Waiting {
            executor: self,
            tasks,
        }))
    }
}

/// Tasks that are computed when they are asked after.
struct Waiting<'t, E> {
    executor: &'t E,
    tasks: &'t [Task<'t>],
}

impl<E: InPlace> Execution for Waiting<'_, E> {
    fn poll(&mut self, _wait: Duration, on_event: &OnEventOf<'_>) -> Vec<Answer> {
        let tasks = std::mem::take(&mut self.tasks);
        let results = match tasks {
            [] => Vec::new(),
            [task] => vec![self.executor.execute(task, &|event| on_event(0, event))],
            tasks => self.executor.execute_together(tasks, on_event),
        };
        let here = |result: Result<Facts, Failure>| result.map(Computed::Here);
        results.into_iter().map(here).enumerate().collect()
    }

    /// Its processes are told by [`super::stop::Stop`], which knows them.
    fn cancel(&mut self, _urgency: Urgency) {}
}
