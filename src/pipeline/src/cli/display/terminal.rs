//! Live progress on a terminal: a bar for each running stage, lines for what has ended.
//! Unaware of plain output; `lines` has the words.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use diagnostics::shown;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use spec::{Event, Pipeline};

use super::lines::{again, blocked, end, failed, retry, same_inputs, skipped};
use super::rate::{Start, clock, describe, seconds as seconds_of};
use engine::run::{Display, Origin, RunEvent};

/// Bars and lines on standard error.
pub struct Terminal {
    bars: MultiProgress,
    stages: BTreeMap<usize, (ProgressBar, Option<Start>)>,
    to_run: usize,
    started: usize,
    verbose: bool,
    begin: Instant,
}

impl Terminal {
    /// For a run of `to_run` stages.
    pub fn new(to_run: usize, verbose: bool) -> Self {
        Self {
            bars: MultiProgress::new(),
            stages: BTreeMap::new(),
            to_run,
            started: 0,
            verbose,
            begin: Instant::now(),
        }
    }

    fn line(&self, text: &str) {
        // A terminal that is gone is nobody's problem; the run goes on.
        let _ = self.bars.println(shown::text(text));
    }

    fn start(&mut self, stage: usize, name: &str, kind: &str) {
        self.started += 1;
        self.to_run = self.to_run.max(self.started); // more than was planned, after an `Again`
        let bar = self.bars.add(ProgressBar::new(0));
        let prefix = format!("[{}/{}] {}", self.started, self.to_run, shown::line(name));
        bar.set_style(style("{spinner} {prefix}  {msg}"));
        bar.set_prefix(prefix);
        bar.set_message(kind.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        self.stages.insert(stage, (bar, None));
    }

    fn event(&mut self, stage: usize, name: &str, event: &Event) {
        let Some((bar, start)) = self.stages.get_mut(&stage) else {
            return;
        };
        match event {
            Event::Progress { step, total, .. } => {
                let start = *start.get_or_insert_with(|| Start::new(*step));
                bar.set_style(style("{spinner} {prefix}  {bar:24.cyan/dim}  {msg}"));
                bar.set_length(*total);
                bar.set_position(*step);
                let message = describe(event, start).unwrap_or_default();
                bar.set_message(shown::line(&message).into_owned());
            }
            Event::Note { message } => self.line(&format!("  {name}: {}", shown::said(message))),
            Event::Failed(_) | Event::Done { .. } => {}
        }
    }

    fn close(&mut self, stage: usize) {
        if let Some((bar, _)) = self.stages.remove(&stage) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a wrong one would only look plain.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Display for Terminal {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        let name = |at: usize| pipeline.stages[at].name.clone();
        match event {
            RunEvent::Fresh { stage } if self.verbose => {
                self.line(&format!("  fresh  {}", name(*stage)));
            }
            RunEvent::Fresh { .. } => {}
            RunEvent::Blocked { stage, missing } => self.line(&blocked(&name(*stage), missing)),
            RunEvent::Started { stage } => {
                self.start(*stage, &name(*stage), pipeline.stages[*stage].kind.name());
            }
            RunEvent::Stage { stage, event } => self.event(*stage, &name(*stage), event),
            RunEvent::Finished {
                stage,
                seconds,
                origin,
            } => {
                self.close(*stage);
                let note = match origin {
                    Origin::Ran => String::new(),
                    Origin::ByOtherRun => " (made by another run)".to_owned(),
                    Origin::SameInputs(key) => format!(" ({})", same_inputs(key)),
                };
                let took = if *seconds < 60.0 {
                    format!("{seconds:.1} s")
                } else {
                    clock(seconds_of(*seconds).unwrap_or_default())
                };
                self.line(&format!("✓ {}  {took}{note}", name(*stage)));
            }
            RunEvent::Again { stage, message } => {
                self.close(*stage);
                self.line(&again(&name(*stage), message));
            }
            RunEvent::Retry {
                stage,
                failure,
                alone,
            } => self.line(&retry(&name(*stage), failure, *alone)),
            RunEvent::Failed { stage, failure, .. } => {
                self.close(*stage);
                self.line(&failed(&name(*stage), failure));
            }
            RunEvent::Skipped { stage } => self.line(&skipped(&name(*stage))),
            RunEvent::End { outcome } => self.line(&end(outcome, self.begin.elapsed())),
        }
    }
}
