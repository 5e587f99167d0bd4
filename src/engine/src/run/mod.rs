//! Runs a plan: one loop owns all state, slots bound what runs at once, events go to whoever displays them.
//! Unaware of terminals, of YAML and of how a stage computes.
//!
//! ```text
//!            Plan                                     Executor (submit, poll, cancel)
//!             |                                           ^ jobs, tickets      | events, outcomes
//!             v                                           |                    v
//!   scheduler: waiting ─> ready ─> running ─> done     a thread of the crew: claim ─> attend ─> commit, each stage by itself
//!                         \─> failed ─> skipped           |                    |
//!             ^                                           |                    v
//!             └────────────── message: finished ──────────┴──────────> display (terminal, lines, JSON)
//! ```

mod attempt;
mod attend;
mod batch;
mod by_content;
mod child;
mod claim;
mod command;
mod context;
mod crew;
pub(crate) mod cuda_env;
mod event;
mod executor;
mod failure;
mod glibc;
mod inputs;
mod log;
mod mask;
mod missed;
mod outputs;
pub(crate) mod placing;
mod process;
mod said;
mod scheduler;
mod sealed;
mod short;
mod slots;
mod stage;
mod stop;
mod supervisor;
mod target;
pub(crate) mod text_busy;
mod unshare;
pub mod walls;
mod warm_start;
pub mod worker_env;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Instant;

use plan::{Planned, Verdict};

use crew::Crew;

pub use attend::PATIENCE;
pub use command::{CommandExecutor, find_program};
pub use context::{Clock, Outcome, Run};
pub use event::{Display, Origin, RunEvent};
pub use executor::{
    Answer, Computed, Execution, Executor, InPlace, Limits, OnEvent, OnEventOf, Order, Task,
    Urgency, Watching,
};
pub use failure::{Again, Failure};
pub use inputs::Inputs;
pub use log::progress_in_words;
pub use mask::Masker;
pub use process::ProcessExecutor;
pub use said::{last_words, next_line};
pub use scheduler::{Scheduler, Start, State, Then, most_threads};
pub use short::ShortNames;
pub use slots::{Allocation, Machine, ResourceRequest, Slots};
pub use stop::Stop;
pub use supervisor::{Supervisor, WORD as SUPERVISE_WORD, supervise};
pub use target::Target;

/// What threads tell the loop.
enum Message {
    Event(usize, spec::Event),
    /// How a stage ended, and how long it took in seconds.
    Finished(usize, f64, Result<attempt::Finish, Failure>),
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
        let mut scheduler = Scheduler::new(self.pipeline, self.plan, machine, on_cuda);
        let mut attempts: BTreeMap<usize, u32> = BTreeMap::new();
        self.announce(display);
        let (sender, messages) = mpsc::channel();
        let crew = Crew::default();
        std::thread::scope(|scope| {
            // The scope waits for its threads, which wait for orders: whatever the loop ends by.
            let _closing = crew.closing();
            let serve = || {
                while let Some(work) = crew.next() {
                    self.work(work);
                }
            };
            loop {
                self.decide(&mut scheduler, display);
                if self.stop.level() == 0 {
                    for Start { stages, allocation } in scheduler.start(self.keep_going) {
                        let members = self.members(&stages, &scheduler, &mut attempts, display);
                        let has_none = crew.give((members, allocation, sender.clone()));
                        let another = || std::thread::Builder::new().spawn_scoped(scope, serve);
                        // No more threads for this user: here then, one after the other.
                        if has_none
                            && another().is_err()
                            && let Some(work) = crew.take_back()
                        {
                            self.work(work);
                        }
                    }
                }
                if !scheduler.anything_running() {
                    if scheduler.trust() {
                        continue;
                    }
                    break;
                }
                let Ok(message) = messages.recv() else { break };
                self.take(message, &mut scheduler, display);
            }
        });
        self.finish(&scheduler, display)
    }

    fn announce(&self, display: &mut dyn Display) {
        for planned in &self.plan.stages {
            match &planned.verdict {
                Verdict::Fresh => self.announce_fresh(planned, display),
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

    fn announce_fresh(&self, planned: &Planned, display: &mut dyn Display) {
        let stage = planned.stage;
        self.show(display, &RunEvent::Fresh { stage });
        if !planned.kept.is_empty() {
            let message = &kept(&self.names(&planned.kept));
            self.show(display, &RunEvent::Again { stage, message });
        }
    }

    fn names(&self, stages: &[usize]) -> String {
        let name = |at: &usize| format!("`{}`", self.pipeline.stages[*at].name);
        stages.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// Decides on results whose inputs were made again: one made from the same bytes stays.
    fn decide(&self, scheduler: &mut Scheduler, display: &mut dyn Display) {
        while let Some(at) = scheduler.undecided() {
            let planned = self.plan.get(at);
            let key = planned.and_then(|planned| planned.key);
            let made = key.and_then(|key| self.store.made(&key));
            let differing = made.map_or_else(Vec::new, |made| claim::differing(self, at, &made));
            let names = self.names(&differing);
            scheduler.decide(at, differing.is_empty() || self.keep_consumers);
            if !differing.is_empty() {
                let message = if self.keep_consumers {
                    kept(&names)
                } else {
                    format!("its input {names} was made again and differs")
                };
                let event = RunEvent::Again {
                    stage: at,
                    message: &message,
                };
                self.show(display, &event);
            }
        }
    }

    /// Counts the tries of stages that start, and says so of those that start for the first time.
    fn members(
        &self,
        stages: &[usize],
        scheduler: &Scheduler,
        attempts: &mut BTreeMap<usize, u32>,
        display: &mut dyn Display,
    ) -> Vec<attempt::Member> {
        let mut members = Vec::new();
        for &at in stages {
            let attempt = attempts.entry(at).or_insert(0);
            *attempt += 1;
            if *attempt == 1 {
                self.show(display, &RunEvent::Started { stage: at });
            }
            members.push(attempt::Member {
                at,
                attempt: *attempt,
                own_copies: scheduler.has_own_copies(at),
                anew: self.is_forced(at) && !scheduler.has_run(at),
            });
        }
        members
    }

    fn work(
        &self,
        (members, allocation, sender): (Vec<attempt::Member>, Allocation, mpsc::Sender<Message>),
    ) {
        // A closed channel means that the loop is gone; there is nobody left to tell.
        let begin = Instant::now();
        let tell = batch::Tell {
            event: &|at, event| drop(sender.send(Message::Event(at, event))),
            end: &|at, result| {
                let seconds = begin.elapsed().as_secs_f64();
                drop(sender.send(Message::Finished(at, seconds, result)));
            },
        };
        batch::run(self, &members, &allocation, &tell);
    }

    fn take(&self, message: Message, scheduler: &mut Scheduler, display: &mut dyn Display) {
        match message {
            Message::Event(at, event) => self.show(display, &RunEvent::Stage { stage: at, event }),
            Message::Finished(at, _, Ok(finish)) => {
                let state = match finish.origin {
                    Origin::Ran => State::Done,
                    Origin::ByOtherRun | Origin::SameInputs(_) => State::Fresh,
                };
                scheduler.finished(at, state);
                let event = RunEvent::Finished {
                    stage: at,
                    seconds: finish.seconds,
                    origin: finish.origin,
                };
                self.show(display, &event);
            }
            Message::Finished(at, seconds, Err(failure)) => {
                let (stage, failure) = (at, &failure);
                let then = scheduler.failed(at, failure);
                let again = failure.again.iter().filter(|_| then == Then::ReadsAgain);
                for &stage in again.flat_map(|again| &again.inputs) {
                    let message = self.why_again(stage);
                    self.show(display, &RunEvent::Again { stage, message });
                }
                let event = match then {
                    Then::ReadsAgain => RunEvent::Again {
                        stage,
                        message: &failure.report.what.message,
                    },
                    Then::Fails => RunEvent::Failed {
                        stage,
                        failure,
                        seconds,
                    },
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

    /// What is said of an input that has to be asked for again.
    fn why_again(&self, stage: usize) -> &'static str {
        let key = self.plan.get(stage).and_then(|planned| planned.key);
        if key.is_some_and(|key| self.store.holder(&key).is_some()) {
            "another run makes its result anew; that one is waited for"
        } else {
            "its result was changed after it was made; it is made again"
        }
    }

    fn finish(&self, scheduler: &Scheduler, display: &mut dyn Display) -> Outcome {
        let interrupted = self.stop.level() > 0;
        let outcome = Outcome {
            interrupted,
            ..scheduler.outcome()
        };
        for at in scheduler.skipped() {
            // Nothing went wrong with what a signal kept from starting.
            if !interrupted {
                self.show(display, &RunEvent::Skipped { stage: at });
            }
        }
        self.show(display, &RunEvent::End { outcome });
        outcome
    }

    fn show(&self, display: &mut dyn Display, event: &RunEvent<'_>) {
        display.show(self.pipeline, event);
    }
}

fn kept(inputs: &str) -> String {
    format!("its input {inputs} was made again and differs; its result is kept (--keep-consumers)")
}
