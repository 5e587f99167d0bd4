//! Plain lines: for logs, CI, and output that goes to a file.
//! Unaware of cursors and colours.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use diagnostics::shown;
use spec::{Event, Pipeline};
use store::Key;

use super::rate::{Start, clock, describe};
use crate::cli::{called, say};
use engine::run::{Display, Failure, Origin, Outcome, RunEvent};

/// Progress of a stage is said this often.
const EVERY: Duration = Duration::from_secs(10);

/// Prints events as lines on standard error.
pub struct Lines {
    to_run: usize,
    started: usize,
    quiet: bool,
    verbose: bool,
    begin: Instant,
    stages: BTreeMap<usize, (Start, Instant)>,
}

impl Lines {
    /// For a run of `to_run` stages.
    pub fn new(to_run: usize, quiet: bool, verbose: bool) -> Self {
        Self {
            to_run,
            started: 0,
            quiet,
            verbose,
            begin: Instant::now(),
            stages: BTreeMap::new(),
        }
    }

    fn tell(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    fn progress(&mut self, stage: usize, name: &str, event: &Event) {
        let Event::Progress { step, total, .. } = event else {
            return;
        };
        let now = Instant::now();
        let (start, last) = *self.stages.entry(stage).or_insert((Start::new(*step), now));
        if now.duration_since(last) < EVERY && step != total {
            return;
        }
        self.stages.insert(stage, (start, now));
        if let Some(text) = describe(event, start) {
            self.tell(&format!("        {name}: {text}"));
        }
    }
}

impl Display for Lines {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        let name = |at: usize| pipeline.stages[at].name.as_str();
        match event {
            RunEvent::Fresh { stage } if self.verbose => {
                self.tell(&format!("fresh   {}", name(*stage)));
            }
            RunEvent::Fresh { .. } => {}
            RunEvent::Blocked { stage, missing } => say(&blocked(name(*stage), missing)),
            RunEvent::Started { stage } => {
                self.started += 1;
                self.to_run = self.to_run.max(self.started); // more than was planned, after an `Again`
                let kind = pipeline.stages[*stage].kind.name();
                self.tell(&format!(
                    "[{}/{}] {} ({kind})",
                    self.started,
                    self.to_run,
                    name(*stage)
                ));
            }
            RunEvent::Stage {
                stage,
                event: Event::Note { message },
            } => {
                self.tell(&format!(
                    "        {}: {}",
                    name(*stage),
                    shown::said(message)
                ));
            }
            RunEvent::Stage { stage, event } => self.progress(*stage, name(*stage), event),
            RunEvent::Finished {
                stage,
                seconds,
                origin,
            } => {
                let text = match origin {
                    Origin::Ran => format!("done in {seconds:.1} s"),
                    Origin::ByOtherRun => format!("made by another run in {seconds:.1} s"),
                    Origin::SameInputs(key) => same_inputs(key),
                };
                self.tell(&format!("        {}: {text}", name(*stage)));
            }
            RunEvent::Again { stage, message } => {
                self.tell(&again(name(*stage), message));
            }
            RunEvent::Retry {
                stage,
                failure,
                alone,
            } => self.tell(&retry(name(*stage), failure, *alone)),
            RunEvent::Failed { stage, failure, .. } => say(&failed(name(*stage), failure)),
            RunEvent::Skipped { stage } => say(&skipped(name(*stage))),
            RunEvent::End { outcome } => self.tell(&end(outcome, self.begin.elapsed())),
        }
    }
}

/// A blocked stage, in words.
pub(super) fn blocked(name: &str, missing: &[String]) -> String {
    let missing: Vec<String> = missing.iter().map(|m| shown::said(m)).collect();
    format!("blocked: {name}: {}", missing.join("; "))
}

/// A stage that was not tried, in words.
pub(super) fn skipped(name: &str) -> String {
    format!("not run: {name}")
}

/// Stages that were not tried, in a line.
pub(super) fn not_run(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let (shown, rest) = names.split_at(names.len().min(SHOWN));
    let more = match rest.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("not run: {}{more}", shown.join(", "))
}

/// A stage that runs once more, in words.
pub(super) fn again(name: &str, message: &str) -> String {
    format!("again: {name}: {message}")
}

/// A stage that did not have to run, in words.
pub(super) fn same_inputs(key: &Key) -> String {
    format!(
        "same inputs by content as {}: its result is taken, nothing ran",
        key.short()
    )
}

/// A stage that is tried again, in words.
pub(super) fn retry(name: &str, failure: &Failure, alone: bool) -> String {
    let how = if alone {
        "with a GPU of its own"
    } else {
        "as its `retries` say"
    };
    format!("again: {name}, {how}: {}", failure.report.what.message)
}

/// A failed stage, in words.
pub(super) fn failed(name: &str, failure: &Failure) -> String {
    let report = &failure.report;
    if report.interrupted {
        return format!("stopped: {name}: {}", report.what.message);
    }
    let mut text = format!("failed: {name}: {}", report.what.message);
    if !report.what.hint.is_empty() {
        text += &format!("\nhint: {}", called::in_hint(&report.what.hint));
    }
    if let Some(log) = &failure.log {
        text += &format!("\nlog: {}", log.display());
    }
    text
}

/// The end of a run, in words.
pub(super) fn end(outcome: &Outcome, took: Duration) -> String {
    let Outcome {
        ran,
        fresh,
        failed,
        not_run,
        interrupted,
    } = outcome;
    let rest = match not_run {
        0 => String::new(),
        n => format!(", {n} not run"),
    };
    let stopped = if *interrupted {
        "; interrupted: the same command goes on from here"
    } else {
        ""
    };
    format!(
        "{ran} ran, {fresh} fresh, {failed} failed{rest} in {}{stopped}",
        clock(took)
    )
}
