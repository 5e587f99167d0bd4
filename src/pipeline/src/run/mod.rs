//! Runs a plan: one loop owns all state, slots bound what runs at once, events go to whoever displays them.
//! Unaware of terminals, of YAML and of how a stage computes.
//!
//! ```text
//!            Plan                                     Executor (a process a stage, or in process for tables)
//!             |                                           ^ job, ticket        | events, outcome
//!             v                                           |                    v
//!   board: waiting ─> ready ─> running ─> done     a thread a running stage: claim ─> execute ─> commit
//!                         \─> failed ─> skipped           |                    |
//!             ^                                           |                    v
//!             └────────────── message: finished ──────────┴──────────> display (terminal, lines, JSON)
//! ```

mod board;
mod child;
mod command;
mod event;
mod process;
mod slots;
mod stage;
mod stop;
mod trajectory;

use std::collections::BTreeMap;
use std::sync::mpsc;

use spec::Pipeline;
use store::Store;

use crate::plan::{Plan, Verdict};

pub use board::{Board, State, Then};
pub use child::{Limits, Target};
pub use command::CommandExecutor;
pub use event::{Display, RunEvent};
pub use process::ProcessExecutor;
pub use slots::{Grant, Machine, Slots, Wish};
pub use stage::{Clock, Executor, Failure, OnEvent, Task};
pub use stop::Stop;

/// Everything a run needs.
pub struct Run<'a> {
    /// The stages and their configuration.
    pub pipeline: &'a Pipeline,
    /// What is to be done.
    pub plan: &'a Plan,
    /// Where results go.
    pub store: &'a Store,
    /// Where results become results.
    pub committer: &'a store::Committer,
    /// Who computes.
    pub executor: &'a dyn Executor,
    /// Cores to share among running stages.
    pub cores: usize,
    /// Indices of the CUDA devices to share, as the worker counts them.
    pub gpus: &'a [usize],
    /// How `CUDA_VISIBLE_DEVICES` names each device that the worker counts.
    pub visible: &'a [String],
    /// The most stages at once.
    pub jobs: usize,
    /// Whether to go on with what does not depend on a failed stage.
    pub keep_going: bool,
    /// Whether a training may start from where a shorter one with the same settings ended.
    pub from_shorter: bool,
    /// Device and host, as they are recorded.
    pub machine: store::Facts,
    /// Where stages compute.
    pub device: spec::Device,
    /// The time, as it is recorded.
    pub clock: &'a Clock,
    /// Whether outside inputs of a stage are still what was planned with.
    pub unchanged: &'a (dyn Fn(usize) -> Result<(), String> + Sync),
    /// Set by signals.
    pub stop: &'a Stop,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Stages that ran.
    pub ran: usize,
    /// Stages that were fresh, or were made by another run meanwhile.
    pub fresh: usize,
    /// Stages that failed, were blocked, or could not run because of those.
    pub failed: usize,
    /// Whether a signal ended it.
    pub interrupted: bool,
}

enum Message {
    Event(usize, spec::Event),
    Finished(usize, Result<stage::Finish, Failure>),
}

impl Run<'_> {
    /// Runs all stale stages of the plan that can run.
    pub fn run(&self, display: &mut dyn Display) -> Outcome {
        let machine = Machine {
            cores: self.cores,
            gpus: self.gpus.len(),
            jobs: self.jobs,
        };
        let on_cuda = matches!(self.device, spec::Device::Cuda(_));
        let mut board = Board::new(self.pipeline, self.plan, machine, on_cuda);
        let mut attempts: BTreeMap<usize, u32> = BTreeMap::new();
        self.announce(display);
        let (sender, messages) = mpsc::channel();
        std::thread::scope(|scope| {
            loop {
                if self.stop.level() == 0 {
                    for (at, grant) in board.start(self.keep_going) {
                        let attempt = attempts.entry(at).or_insert(0);
                        *attempt += 1;
                        let attempt = *attempt;
                        if attempt == 1 {
                            self.show(display, &RunEvent::Started { stage: at });
                        }
                        let sender = sender.clone();
                        scope.spawn(move || self.work(at, &grant, attempt, &sender));
                    }
                }
                if !board.anything_running() {
                    break;
                }
                let Ok(message) = messages.recv() else { break };
                self.take(message, &mut board, display);
            }
        });
        self.finish(&board, display)
    }

    fn announce(&self, display: &mut dyn Display) {
        for planned in &self.plan.stages {
            match &planned.verdict {
                Verdict::Fresh => self.show(
                    display,
                    &RunEvent::Fresh {
                        stage: planned.stage,
                    },
                ),
                Verdict::Blocked(missing) => {
                    self.show(
                        display,
                        &RunEvent::Blocked {
                            stage: planned.stage,
                            missing,
                        },
                    );
                }
                Verdict::Stale(_) => {}
            }
        }
    }

    fn work(&self, at: usize, grant: &Grant, attempt: u32, sender: &mpsc::Sender<Message>) {
        // A closed channel means that the loop is gone; there is nobody left to tell.
        let on_event = |event| drop(sender.send(Message::Event(at, event)));
        let result = stage::run(self, at, grant, attempt, &on_event);
        drop(sender.send(Message::Finished(at, result)));
    }

    fn take(&self, message: Message, board: &mut Board, display: &mut dyn Display) {
        match message {
            Message::Event(at, event) => self.show(display, &RunEvent::Stage { stage: at, event }),
            Message::Finished(at, Ok(finish)) => {
                board.finished(
                    at,
                    if finish.by_other {
                        State::Fresh
                    } else {
                        State::Done
                    },
                );
                let event = RunEvent::Finished {
                    stage: at,
                    seconds: finish.seconds,
                    by_other: finish.by_other,
                };
                self.show(display, &event);
            }
            Message::Finished(at, Err(failure)) => {
                let (stage, failure) = (at, &failure);
                let event = match board.failed(at, failure) {
                    Then::Fails => RunEvent::Failed { stage, failure },
                    then => RunEvent::Retry {
                        stage,
                        failure,
                        alone: then == Then::RetriesAlone,
                    },
                };
                self.show(display, &event);
            }
        }
    }

    fn finish(&self, board: &Board, display: &mut dyn Display) -> Outcome {
        let interrupted = self.stop.level() > 0;
        let mut outcome = Outcome {
            interrupted,
            ..board.outcome()
        };
        for at in board.skipped() {
            if interrupted {
                // Nothing went wrong with what a signal kept from starting.
                outcome.failed -= 1;
            } else {
                self.show(display, &RunEvent::Skipped { stage: at });
            }
        }
        self.show(display, &RunEvent::End { outcome });
        outcome
    }

    fn show(&self, display: &mut dyn Display, event: &RunEvent<'_>) {
        display.show(self.pipeline, event);
    }

    /// The devices of a grant, as `CUDA_VISIBLE_DEVICES` names them; nothing on a machine without GPUs.
    fn visible(&self, grant: &Grant) -> Option<String> {
        if self.gpus.is_empty() {
            return None;
        }
        let name = |gpu: &usize| self.visible.get(self.gpus[*gpu]).cloned();
        let names: Vec<String> = grant.gpus.iter().filter_map(name).collect();
        Some(names.join(","))
    }

    fn is_forced(&self, at: usize) -> bool {
        self.plan.get(at).is_some_and(|p| p.verdict.is_forced())
    }
}
