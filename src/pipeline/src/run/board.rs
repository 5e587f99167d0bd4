//! The states of all stages and the one place where they change; says what can start.
//! Unaware of threads, processes and time: a pure state machine.

use std::collections::BTreeMap;

use spec::Pipeline;

use super::Outcome;
use crate::plan::{Plan, Verdict};

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its result was there, or another run made it meanwhile.
    Fresh,
    /// Something it needs is missing.
    Blocked,
    /// It waits for its inputs or for free cores.
    Waiting,
    /// It runs.
    Running,
    /// It ran, and its result is committed.
    Done,
    /// It ran and failed.
    Failed,
}

/// All stages of a plan.
#[derive(Debug)]
pub struct Board {
    order: Vec<usize>,
    states: BTreeMap<usize, State>,
    inputs: BTreeMap<usize, Vec<usize>>,
    threads: BTreeMap<usize, usize>,
    cores: usize,
    jobs: usize,
}

impl Board {
    /// The states at the beginning. A stage without a wish for threads takes all cores, so that its result does not
    /// depend on what runs beside it.
    pub fn new(pipeline: &Pipeline, plan: &Plan, cores: usize, jobs: usize) -> Self {
        let state = |verdict: &Verdict| match verdict {
            Verdict::Fresh => State::Fresh,
            Verdict::Stale(_) => State::Waiting,
            Verdict::Blocked(_) => State::Blocked,
        };
        let stages = || plan.stages.iter().map(|p| p.stage);
        let inputs = |at: usize| pipeline.stages[at].inputs.iter().map(|e| e.stage).collect();
        let threads = |at: usize| {
            pipeline.stages[at]
                .resources
                .threads
                .map_or(cores, |t| t as usize)
        };
        Self {
            order: stages().collect(),
            states: plan
                .stages
                .iter()
                .map(|p| (p.stage, state(&p.verdict)))
                .collect(),
            inputs: stages().map(|at| (at, inputs(at))).collect(),
            threads: stages().map(|at| (at, threads(at))).collect(),
            cores,
            jobs,
        }
    }

    /// Marks as running, and returns, the stages that can start now.
    pub fn start(&mut self, keep_going: bool) -> Vec<usize> {
        let mut started = Vec::new();
        if !keep_going && self.any(State::Failed) {
            return started;
        }
        for at in self.order.clone() {
            if self.states[&at] == State::Waiting && self.inputs_ready(at) && self.fits(at) {
                self.states.insert(at, State::Running);
                started.push(at);
            }
        }
        started
    }

    /// Threads of a stage.
    pub fn threads(&self, at: usize) -> usize {
        self.threads[&at]
    }

    /// A running stage has ended well.
    pub fn finished(&mut self, at: usize, state: State) {
        self.states.insert(at, state);
    }

    /// A running stage has failed.
    pub fn failed(&mut self, at: usize) {
        self.states.insert(at, State::Failed);
    }

    /// Whether any stage runs.
    pub fn anything_running(&self) -> bool {
        self.any(State::Running)
    }

    /// The stages that wait for something that will not come.
    pub fn skipped(&self) -> Vec<usize> {
        self.order
            .iter()
            .copied()
            .filter(|at| self.states[at] == State::Waiting)
            .collect()
    }

    /// The counts, without whether a signal came.
    pub fn outcome(&self) -> Outcome {
        let count = |state| self.states.values().filter(|s| **s == state).count();
        Outcome {
            ran: count(State::Done),
            fresh: count(State::Fresh),
            failed: count(State::Failed) + count(State::Blocked) + count(State::Waiting),
            interrupted: false,
        }
    }

    fn any(&self, state: State) -> bool {
        self.states.values().any(|s| *s == state)
    }

    fn inputs_ready(&self, at: usize) -> bool {
        self.inputs[&at]
            .iter()
            .all(|i| matches!(self.states.get(i), Some(State::Fresh | State::Done)))
    }

    /// A stage that wants more than there is runs alone.
    fn fits(&self, at: usize) -> bool {
        let running: Vec<usize> = self
            .order
            .iter()
            .copied()
            .filter(|at| self.states[at] == State::Running)
            .collect();
        let used: usize = running.iter().map(|at| self.threads[at]).sum();
        running.len() < self.jobs && (running.is_empty() || used + self.threads[&at] <= self.cores)
    }
}
