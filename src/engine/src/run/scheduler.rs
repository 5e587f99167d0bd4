//! The states of all stages and the one place where they change; says what can start, and with what.
//! Unaware of threads, processes and time: a pure state machine.
//!
//! Ready stages with one expensive start (`Planned::start`) start together, on what the first of them asks for; each then
//! ends by itself, and what they hold is free when the last has ended. A stage that is tried again starts alone.
//!
//! ```text
//!   Fresh                      Blocked
//!   Waiting ── inputs there, slots free ──> Running ──> Done | Fresh (another run made it)
//!      ^ ^                                     │ │
//!      │ └── tries left, or out of GPU memory ─┘ └────> Failed
//!      │ └── its inputs were changed: they wait too, and it reads copies
//!      │
//!   Unsure ── inputs there ──> undecided: made from their bytes? ── yes ──> Fresh
//!      ^                            └── no ──> Waiting
//!      └── stored, but an input is to be made first
//! ```
//!
//! A stage is *there* when it is Fresh or Done. `missing` counts the inputs of an entry that are not there, whatever its
//! own state, and changes in two functions: `arrives` and `leaves`.

use std::collections::{BTreeMap, BTreeSet};

use spec::{Pipeline, Resources, Runs, Stage, reads};
use store::Key;

use super::Outcome;
use super::failure::Failure;
use super::slots::{Allocation, Machine, ResourceRequest, Slots};
use plan::{Plan, Planned, Verdict};

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its result was there, or another run made it meanwhile.
    Fresh,
    /// Something it needs is missing.
    Blocked,
    /// Its result was there, but an input is made again first, and may come out with other bytes.
    Unsure,
    /// It waits for its inputs or for free slots.
    Waiting,
    /// It runs.
    Running,
    /// It ran, and its result is committed.
    Done,
    /// It ran and failed.
    Failed,
    /// A signal stopped it.
    Stopped,
}

/// What happens to a stage that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stays failed.
    Fails,
    /// It is tried once more; so many tries are left after that one.
    Retries(u32),
    /// GPU memory ran out while others may have held some: it is tried once more with a GPU of its own.
    RetriesAlone,
    /// It is tried once more when its inputs are what they should be.
    ReadsAgain,
}

/// All stages of a plan, in its order.
#[derive(Debug)]
pub struct Scheduler {
    entries: Vec<Entry>,
    /// Where each stage of the pipeline stands in `entries`.
    position: Vec<Option<usize>>,
    /// Waiting stages whose inputs are all there.
    ready: BTreeSet<usize>,
    /// Stages with a result whose inputs are all there and may have other bytes than it was made from.
    undecided: BTreeSet<usize>,
    slots: Slots,
    /// How many stages run on what each holder holds.
    holding: BTreeMap<usize, usize>,
    running: usize,
    failed: bool,
}

#[derive(Debug)]
struct Entry {
    stage: usize,
    state: State,
    /// Inputs that are not there yet.
    missing: usize,
    /// Who reads this one, once for each role.
    readers: Vec<usize>,
    request: ResourceRequest,
    /// What it can share with others; none for a stage with limits of its own, and after a failure.
    start: Option<Key>,
    /// The stage that holds what this one runs on.
    holder: usize,
    tries_left: u32,
    ran_alone: bool,
    /// How often it was tried again because of its inputs.
    reads: u32,
    own_copies: bool,
    /// Whether it has ended well before, if it is to run once more.
    has_run: bool,
}

impl Entry {
    fn is_there(&self) -> bool {
        matches!(self.state, State::Fresh | State::Done)
    }
}

/// Stages that start together, and what they get. Nearly always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The stages.
    pub stages: Vec<usize>,
    /// What they share.
    pub allocation: Allocation,
}

/// The most stages in one process.
const MOST_TOGETHER: usize = 64;

/// The most tries because of inputs; who changes them that often does not stop.
const MOST_READS: u32 = 3;

impl Scheduler {
    /// The states at the beginning. `on_cuda` says whether torch stages compute on GPUs.
    pub fn new(pipeline: &Pipeline, plan: &Plan, machine: Machine, on_cuda: bool) -> Self {
        let mut position = vec![None; pipeline.stages.len()];
        for (n, planned) in plan.stages.iter().enumerate() {
            position[planned.stage] = Some(n);
        }
        let entry = |planned: &plan::Planned| {
            let stage = &pipeline.stages[planned.stage];
            Entry {
                stage: planned.stage,
                state: match &planned.verdict {
                    Verdict::Fresh => State::Fresh,
                    Verdict::Stale(_) => State::Waiting,
                    Verdict::Blocked(_) => State::Blocked,
                },
                missing: 0,
                readers: Vec::new(),
                request: request(stage, machine, on_cuda),
                start: start(stage, planned),
                holder: planned.stage,
                tries_left: stage.resources.retries.unwrap_or(0),
                ran_alone: false,
                reads: 0,
                own_copies: false,
                has_run: false,
            }
        };
        let mut scheduler = Self {
            entries: plan.stages.iter().map(entry).collect(),
            position,
            ready: BTreeSet::new(),
            undecided: BTreeSet::new(),
            slots: Slots::new(machine),
            holding: BTreeMap::new(),
            running: 0,
            failed: false,
        };
        scheduler.link(pipeline);
        scheduler
    }

    /// In the order of the plan, so that an input is what it is before its readers are looked at.
    fn link(&mut self, pipeline: &Pipeline) {
        for n in 0..self.entries.len() {
            for edge in reads(pipeline, self.entries[n].stage) {
                let Some(input) = self.position[edge.stage] else {
                    continue;
                };
                self.entries[input].readers.push(n);
                if !self.entries[input].is_there() {
                    self.entries[n].missing += 1;
                }
            }
            let entry = &mut self.entries[n];
            if entry.state == State::Fresh && entry.missing > 0 {
                entry.state = State::Unsure;
            }
            self.look_at(n);
        }
    }

    /// An entry may have become ready, undecided, or neither.
    fn look_at(&mut self, n: usize) {
        let Entry { state, missing, .. } = self.entries[n];
        let put = |set: &mut BTreeSet<usize>, belongs| {
            if belongs {
                set.insert(n);
            } else {
                set.remove(&n);
            }
        };
        put(&mut self.ready, state == State::Waiting && missing == 0);
        if state == State::Unsure || missing > 0 {
            put(&mut self.undecided, state == State::Unsure && missing == 0);
        }
    }

    /// The result of `n` is there now. Who made something from an earlier one of it has to be decided on.
    fn arrives(&mut self, n: usize) {
        for reader in self.entries[n].readers.clone() {
            self.entries[reader].missing -= 1;
            self.look_at(reader);
            if self.entries[reader].is_there() && self.entries[reader].missing == 0 {
                self.undecided.insert(reader);
            }
        }
    }

    /// The result of `n` is not there any more, and is made again.
    fn leaves(&mut self, n: usize) {
        self.entries[n].state = State::Waiting;
        for reader in self.entries[n].readers.clone() {
            self.entries[reader].missing += 1;
            self.look_at(reader);
        }
        self.look_at(n);
    }

    /// A stage with a result, and inputs whose bytes may not be those that it was made from.
    pub fn undecided(&mut self) -> Option<usize> {
        self.undecided.pop_first().map(|n| self.entries[n].stage)
    }

    /// An undecided stage keeps its result, or is made again. Whether that changed what is there.
    pub fn decide(&mut self, stage: usize, keeps: bool) {
        let Some(n) = self.position[stage] else {
            return;
        };
        match (self.entries[n].state, keeps) {
            (State::Unsure, true) => {
                self.entries[n].state = State::Fresh;
                self.arrives(n);
            }
            (State::Unsure, false) => {
                self.entries[n].state = State::Waiting;
                self.look_at(n);
            }
            (State::Fresh | State::Done, false) => self.leaves(n),
            _ => {}
        }
    }

    /// Takes results as they are whose inputs will not come. Whether there were any.
    pub fn trust(&mut self) -> bool {
        let unsure = |entry: &Entry| entry.state == State::Unsure;
        let waiting: Vec<usize> = (0..self.entries.len())
            .filter(|&n| unsure(&self.entries[n]))
            .collect();
        for &n in &waiting {
            self.decide(self.entries[n].stage, true);
        }
        !waiting.is_empty()
    }

    /// Whether a stage reads copies of its inputs, to find out who changes them.
    pub fn has_own_copies(&self, stage: usize) -> bool {
        self.position[stage].is_some_and(|n| self.entries[n].own_copies)
    }

    /// Whether a stage has ended well in this run; what it made may be gone again.
    pub fn has_run(&self, stage: usize) -> bool {
        self.position[stage].is_some_and(|n| self.entries[n].has_run)
    }

    /// Marks as running, and returns with what they get, the stages that can start now.
    pub fn start(&mut self, keep_going: bool) -> Vec<Start> {
        let mut started = Vec::new();
        if self.failed && !keep_going {
            return started;
        }
        let mut next = self.ready.first().copied();
        while let Some(n) = next.filter(|_| !self.slots.is_full()) {
            let Entry { stage, request, .. } = self.entries[n];
            if let Some(allocation) = self.slots.take(stage, request) {
                let together = self.together(n);
                for &m in &together {
                    self.set_running(m, stage);
                }
                let stages = together.iter().map(|&m| self.entries[m].stage).collect();
                started.push(Start { stages, allocation });
            }
            next = self.ready.range(n + 1..).next().copied();
        }
        started
    }

    /// The ready stage `n`, and those that can start with it.
    fn together(&self, n: usize) -> Vec<usize> {
        let Entry { start, request, .. } = &self.entries[n];
        let alike = |m: &usize| {
            let other = &self.entries[*m];
            start.is_some() && other.start == *start && other.request == *request
        };
        let others = self.ready.iter().copied().filter(|m| *m != n && alike(m));
        std::iter::once(n)
            .chain(others.take(MOST_TOGETHER - 1))
            .collect()
    }

    fn set_running(&mut self, n: usize, holder: usize) {
        self.ready.remove(&n);
        self.entries[n].state = State::Running;
        self.entries[n].holder = holder;
        *self.holding.entry(holder).or_insert(0) += 1;
        self.running += 1;
    }

    /// What a stage asks for.
    pub fn request(&self, stage: usize) -> Option<ResourceRequest> {
        self.position[stage].map(|n| self.entries[n].request)
    }

    /// A running stage has ended well.
    pub fn finished(&mut self, stage: usize, state: State) {
        if let Some(n) = self.ended(stage, state) {
            self.entries[n].has_run |= state == State::Done;
            self.arrives(n);
        }
    }

    /// A running stage has failed.
    pub fn failed(&mut self, stage: usize, failure: &Failure) -> Then {
        let Some(n) = self.ended(stage, State::Waiting) else {
            return Then::Fails;
        };
        let then = what_then(&mut self.entries[n], failure);
        if then == Then::ReadsAgain {
            self.read_again(n, failure);
        } else if then == Then::Fails {
            self.entries[n].state = if failure.report.interrupted {
                State::Stopped
            } else {
                State::Failed
            };
            self.failed = true;
        } else {
            self.ready.insert(n);
        }
        then
    }

    /// Inputs that are not what they should be are made again, and the stage waits for them.
    fn read_again(&mut self, n: usize, failure: &Failure) {
        let again = failure.again.clone().unwrap_or_default();
        self.entries[n].own_copies = again.own_copies;
        for input in again.inputs {
            if let Some(input) = self.position[input]
                && self.entries[input].is_there()
            {
                self.leaves(input);
            }
        }
        self.look_at(n);
    }

    fn ended(&mut self, stage: usize, state: State) -> Option<usize> {
        let n = self.position[stage]?;
        self.leave(self.entries[n].holder);
        self.running -= 1;
        self.entries[n].state = state;
        Some(n)
    }

    /// One of the stages on what `holder` holds has ended.
    fn leave(&mut self, holder: usize) {
        let Some(others) = self.holding.get_mut(&holder) else {
            return;
        };
        *others -= 1;
        if *others == 0 {
            self.holding.remove(&holder);
            self.slots.give_back(holder);
        }
    }

    /// Whether any stage runs.
    pub fn anything_running(&self) -> bool {
        self.running > 0
    }

    /// The stages that wait for something that will not come.
    pub fn skipped(&self) -> Vec<usize> {
        let waiting = self.entries.iter().filter(|e| e.state == State::Waiting);
        waiting.map(|e| e.stage).collect()
    }

    /// The state of a stage; `None` for one that is not in the plan.
    pub fn state(&self, stage: usize) -> Option<State> {
        self.position[stage].map(|n| self.entries[n].state)
    }

    /// The counts, without whether a signal came.
    pub fn outcome(&self) -> Outcome {
        let count = |state| self.entries.iter().filter(|e| e.state == state).count();
        Outcome {
            ran: count(State::Done),
            fresh: count(State::Fresh) + count(State::Unsure),
            failed: count(State::Failed),
            not_run: count(State::Blocked) + count(State::Waiting) + count(State::Stopped),
            interrupted: false,
        }
    }
}

fn what_then(entry: &mut Entry, failure: &Failure) -> Then {
    if failure.report.interrupted {
        return Then::Fails;
    }
    entry.start = None;
    if failure.again.is_some() && entry.reads < MOST_READS {
        entry.reads += 1;
        return Then::ReadsAgain;
    }
    if failure.report.out_of_gpu_memory && !entry.ran_alone {
        entry.ran_alone = true;
        entry.request.share = 1;
        return Then::RetriesAlone;
    }
    match entry.tries_left.checked_sub(1) {
        Some(left) => {
            entry.tries_left = left;
            Then::Retries(left)
        }
        None => Then::Fails,
    }
}

/// The most threads that a stage gets on a machine with so many cores. More than cores are allowed, because the last bits
/// of a result depend on the number; further ones would only wait for each other, for minutes where there are thousands.
pub const fn most_threads(cores: usize) -> usize {
    cores.saturating_mul(8)
}

/// What a stage can share. Limits are of a process, so a stage that has some is alone in its own.
fn start(stage: &Stage, planned: &Planned) -> Option<Key> {
    let Resources {
        timeout, memory, ..
    } = &stage.resources;
    if timeout.is_some() || memory.is_some() {
        return None;
    }
    planned.start()
}

/// What a stage asks for. One on the processor without a request for threads takes all cores, so that its result does not
/// depend on what runs beside it; one on a GPU takes its share of the cores; a command takes one.
fn request(stage: &Stage, machine: Machine, on_cuda: bool) -> ResourceRequest {
    let resources = &stage.resources;
    let runs = stage.kind.runs();
    let (threads, gpus) = match runs {
        Runs::Program(_) => (1, 0),
        Runs::Report(_) => (0, 0),
        Runs::Worker(_) if on_cuda && stage.kind.numerics().is_some() => {
            ((machine.cores / machine.gpus.max(1)).max(1), 1)
        }
        Runs::Worker(_) => (machine.cores, 0),
    };
    let may_use_gpus = gpus > 0 || matches!(runs, Runs::Program(_));
    ResourceRequest {
        threads: resources
            .threads
            .map_or(threads, |t| (t as usize).min(most_threads(machine.cores))),
        gpus: if may_use_gpus {
            resources.gpus.map_or(gpus, |n| n as usize)
        } else {
            0
        },
        share: resources.gpu_share.unwrap_or(1) as usize,
    }
}
