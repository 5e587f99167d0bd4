//! The states of all stages and the one place where they change; says what can start, and with what.
//! Unaware of threads, processes and time: a pure state machine.
//!
//! Ready stages with one expensive start (`plan::start`) start together, on what the first of them asks for; each then
//! ends by itself, and what they hold is free when the last has ended. A stage that is tried again starts alone.
//!
//! ```text
//!   Fresh                      Blocked
//!   Waiting ── inputs there, slots free ──> Running ──> Done | Fresh (another run made it)
//!      ^                                       │
//!      └── tries left, or out of GPU memory ───┴──────> Failed
//! ```

use std::collections::{BTreeMap, BTreeSet};

use spec::{Kind, Pipeline, Resources, Stage};
use store::Key;

use super::slots::{Grant, Machine, Slots, Wish};
use super::{Failure, Outcome};
use crate::plan::{self, Plan, Verdict};

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its result was there, or another run made it meanwhile.
    Fresh,
    /// Something it needs is missing.
    Blocked,
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
}

/// All stages of a plan, in its order.
#[derive(Debug)]
pub struct Board {
    entries: Vec<Entry>,
    /// Where each stage of the pipeline stands in `entries`.
    position: Vec<Option<usize>>,
    /// Waiting stages whose inputs are all there.
    ready: BTreeSet<usize>,
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
    /// Who reads this one.
    readers: Vec<usize>,
    wish: Wish,
    /// What it can share with others; none for a stage with limits of its own, and after a failure.
    start: Option<Key>,
    /// The stage that holds what this one runs on.
    holder: usize,
    tries_left: u32,
    ran_alone: bool,
}

/// Stages that start together, and what they get. Nearly always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The stages.
    pub stages: Vec<usize>,
    /// What they share.
    pub grant: Grant,
}

/// The most stages in one process.
const MOST_TOGETHER: usize = 64;

impl Board {
    /// The states at the beginning. `on_cuda` says whether torch stages compute on GPUs.
    pub fn new(pipeline: &Pipeline, plan: &Plan, machine: Machine, on_cuda: bool) -> Self {
        let mut position = vec![None; pipeline.stages.len()];
        for (n, planned) in plan.stages.iter().enumerate() {
            position[planned.stage] = Some(n);
        }
        let entry = |planned: &crate::plan::Planned| {
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
                wish: wish(stage, machine, on_cuda),
                start: start(stage, &planned.manifest),
                holder: planned.stage,
                tries_left: stage.resources.retries.unwrap_or(0),
                ran_alone: false,
            }
        };
        let mut board = Self {
            entries: plan.stages.iter().map(entry).collect(),
            position,
            ready: BTreeSet::new(),
            slots: Slots::new(machine),
            holding: BTreeMap::new(),
            running: 0,
            failed: false,
        };
        board.link(pipeline);
        board
    }

    fn link(&mut self, pipeline: &Pipeline) {
        for n in 0..self.entries.len() {
            for edge in &pipeline.stages[self.entries[n].stage].inputs {
                let Some(input) = self.position[edge.stage] else {
                    continue;
                };
                if self.entries[input].state != State::Fresh {
                    self.entries[input].readers.push(n);
                    self.entries[n].missing += 1;
                }
            }
            if self.entries[n].state == State::Waiting && self.entries[n].missing == 0 {
                self.ready.insert(n);
            }
        }
    }

    /// Marks as running, and returns with what they get, the stages that can start now.
    pub fn start(&mut self, keep_going: bool) -> Vec<Start> {
        let mut started = Vec::new();
        if self.failed && !keep_going {
            return started;
        }
        for n in self.ready.clone() {
            if self.slots.is_full() {
                break;
            }
            let Entry { stage, wish, .. } = self.entries[n];
            if !self.ready.contains(&n) {
                continue; // it has started with another
            }
            if let Some(grant) = self.slots.take(stage, wish) {
                let together = self.together(n);
                for &m in &together {
                    self.set_running(m, stage);
                }
                let stages = together.iter().map(|&m| self.entries[m].stage).collect();
                started.push(Start { stages, grant });
            }
        }
        started
    }

    /// The ready stage `n`, and those that can start with it.
    fn together(&self, n: usize) -> Vec<usize> {
        let Entry { start, wish, .. } = &self.entries[n];
        let alike = |m: &usize| {
            let other = &self.entries[*m];
            start.is_some() && other.start == *start && other.wish == *wish
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
    pub fn wish(&self, stage: usize) -> Option<Wish> {
        self.position[stage].map(|n| self.entries[n].wish)
    }

    /// A running stage has ended well.
    pub fn finished(&mut self, stage: usize, state: State) {
        let Some(n) = self.ended(stage, state) else {
            return;
        };
        for reader in std::mem::take(&mut self.entries[n].readers) {
            let entry = &mut self.entries[reader];
            entry.missing -= 1;
            if entry.missing == 0 && entry.state == State::Waiting {
                self.ready.insert(reader);
            }
        }
    }

    /// A running stage has failed.
    pub fn failed(&mut self, stage: usize, failure: &Failure) -> Then {
        let Some(n) = self.ended(stage, State::Waiting) else {
            return Then::Fails;
        };
        let then = what_then(&mut self.entries[n], failure);
        if then == Then::Fails {
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
            fresh: count(State::Fresh),
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
    if failure.report.out_of_gpu_memory && !entry.ran_alone {
        entry.ran_alone = true;
        entry.wish.share = 1;
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

/// What a stage can share. Limits are of a process, so a stage that has some is alone in its own.
fn start(stage: &Stage, manifest: &str) -> Option<Key> {
    let Resources {
        timeout, memory, ..
    } = &stage.resources;
    if timeout.is_some() || memory.is_some() {
        return None;
    }
    plan::start(&stage.kind, manifest)
}

/// What a stage asks for. One on the processor without a wish for threads takes all cores, so that its result does not
/// depend on what runs beside it; one on a GPU takes its share of the cores; a command takes one.
fn wish(stage: &Stage, machine: Machine, on_cuda: bool) -> Wish {
    let resources = &stage.resources;
    let (threads, gpus) = match &stage.kind {
        Kind::Command(_) => (1, 0),
        kind if kind.is_report() => (0, 0),
        kind if on_cuda && kind.uses_torch() => ((machine.cores / machine.gpus.max(1)).max(1), 1),
        _ => (machine.cores, 0),
    };
    let may_use_gpus = gpus > 0 || matches!(stage.kind, Kind::Command(_));
    Wish {
        threads: resources.threads.map_or(threads, |t| t as usize),
        gpus: if may_use_gpus {
            resources.gpus.map_or(gpus, |n| n as usize)
        } else {
            0
        },
        share: resources.gpu_share.unwrap_or(1) as usize,
    }
}
