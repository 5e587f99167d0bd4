//! Attends to what was submitted until each task has one answer, or is given up.
//! Unaware of who computes, and of what becomes of results.
//!
//! ```text
//!   poll ── first answer of a task ──> kept        a second one, or one of nobody ──> passed over
//!     ^  └── stop, or timeout passed ──> cancel ── nothing for `patience` ──> given up: what comes later is of no interest
//!     └──────┘
//! ```

use std::time::{Duration, Instant};

use super::executor::{Computed, Execution, Executor, OnEventOf, Task, Urgency};
use super::failure::Failure;
use super::stop::Stop;

/// How often stop and limits are looked at while others compute.
const LOOK: Duration = Duration::from_millis(100);

/// How long an executor may stay silent once it was asked for an end, or a stage's time has passed.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What became of tasks.
pub(super) struct Attended {
    /// A result for each task.
    pub results: Vec<Result<Computed, Failure>>,
    /// Whether any was given up: somebody may still write into its folder.
    pub gave_up: bool,
}

/// Has the tasks computed.
pub(super) fn attend(
    executor: &dyn Executor,
    tasks: &[Task<'_>],
    stop: &Stop,
    patience: Duration,
    on_event: &OnEventOf<'_>,
) -> Attended {
    let mut execution = match executor.submit(tasks) {
        Ok(execution) => execution,
        Err(failure) => {
            let results = tasks.iter().map(|_| Err(failure.clone())).collect();
            return Attended {
                results,
                gave_up: false,
            };
        }
    };
    let mut results: Vec<Option<Result<Computed, Failure>>> = tasks.iter().map(|_| None).collect();
    let mut end = End::new(tasks, patience);
    while results.iter().any(Option::is_none) && !end.is_due() {
        for (n, result) in execution.poll(LOOK, on_event) {
            if let Some(slot @ None) = results.get_mut(n) {
                *slot = Some(result);
            }
        }
        end.ask(&mut *execution, stop.level());
    }
    let gave_up = results.iter().any(Option::is_none);
    let given_up = |result: Option<_>| result.unwrap_or_else(|| Err(end.silence()));
    Attended {
        results: results.into_iter().map(given_up).collect(),
        gave_up,
    }
}

/// When tasks shall end, and since when they were asked to.
struct End {
    begin: Instant,
    timeout: Option<Duration>,
    patience: Duration,
    asked: Option<Urgency>,
    /// Since when an answer is due at any moment.
    since: Option<Instant>,
    is_stopped: bool,
}

impl End {
    fn new(tasks: &[Task<'_>], patience: Duration) -> Self {
        Self {
            begin: Instant::now(),
            timeout: tasks.iter().filter_map(|task| task.limits.timeout).max(),
            patience,
            asked: None,
            since: None,
            is_stopped: false,
        }
    }

    /// Passes on, once each, that there was a signal, and that the time is over.
    fn ask(&mut self, execution: &mut dyn Execution, stop_level: u8) {
        self.is_stopped = stop_level > 0;
        // Who computes keeps the limit itself; it is asked only where it does not.
        let is_late = |limit| self.begin.elapsed() > self.patience.saturating_add(limit);
        let urgency = match stop_level {
            0 if self.timeout.is_some_and(is_late) => Urgency::Now,
            0 => return,
            1 => Urgency::AtCheckpoint,
            _ => Urgency::Now,
        };
        if self.asked < Some(urgency) {
            self.asked = Some(urgency);
            execution.cancel(urgency);
            if urgency == Urgency::Now {
                self.since = Some(Instant::now());
            }
        }
    }

    fn is_due(&self) -> bool {
        self.since.is_some_and(|at| at.elapsed() > self.patience)
    }

    /// The failure of a task without an answer.
    fn silence(&self) -> Failure {
        let mut failure = Failure::new(
            "whoever computes it does not answer",
            "what it may still write is not read; run again to compute the stage anew",
        );
        failure.report.interrupted = self.is_stopped;
        failure
    }
}
