//! Live progress on a terminal: a bar for each running stage, one for the run, lines for what has ended.
//! Unaware of plain output; `lines` has the words.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use console::truncate_str;
use diagnostics::shown;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use spec::{Event, Pipeline};

use super::gpus::Gpus;
use super::lines::{again, blocked, end, failed, not_run, retry, same_inputs};
use super::rate::{Start, clock, describe, left, seconds as seconds_of};
use super::work::{AtWork, Work};
use crate::cli::estimates::Estimates;
use crate::cli::{fit, screen};
use engine::run::{Display, Origin, RunEvent};

/// Bars and lines on standard error.
pub struct Terminal {
    bars: MultiProgress,
    all: ProgressBar,
    gpus: Option<Gpus>,
    stages: BTreeMap<usize, Running>,
    work: Work,
    /// Stages that were not tried, said in a line at the end: what failed has to be seen.
    skipped: Vec<String>,
    verbose: bool,
    colour: bool,
}

/// A stage at work.
struct Running {
    bar: ProgressBar,
    start: Option<Start>,
    since: Instant,
    /// What its own progress says it takes, seconds.
    own: Option<f64>,
}

impl Terminal {
    /// For a run of `to_run` stages.
    pub fn new(to_run: usize, verbose: bool, estimates: Estimates, gpus: &[String]) -> Self {
        let bars = MultiProgress::new();
        let all = if to_run > 1 {
            bars.add(ProgressBar::new(to_run as u64))
        } else {
            ProgressBar::hidden()
        };
        all.set_style(style(&format!("{{bar:{}.green/dim}}  {{wide_msg}}", bar())));
        all.enable_steady_tick(Duration::from_millis(500));
        let gpus = (!gpus.is_empty()).then(|| {
            let bar = bars.add(ProgressBar::new(0));
            bar.set_style(style("{wide_msg}"));
            Gpus::watch(gpus, bar)
        });
        let colour = screen::stderr_has_colour();
        let work = Work::new(to_run, estimates);
        Self {
            bars,
            all,
            gpus,
            stages: BTreeMap::new(),
            work,
            skipped: Vec::new(),
            verbose,
            colour,
        }
    }

    fn line(&self, text: &str) {
        let text = fit::hanging(&format!("{}\n", shown::text(text)), Some(columns()));
        let text = text.trim_end();
        // A terminal that is gone is nobody's problem; the run goes on.
        let _ = if self.colour {
            self.bars.println(screen::painted(text))
        } else {
            self.bars.println(text)
        };
    }

    fn start(&mut self, stage: usize, name: &str, kind: &str) {
        self.work.start();
        let bar = self
            .bars
            .insert_from_back(1 + usize::from(self.gpus.is_some()), ProgressBar::new(0));
        let place = format!("[{}/{}]", self.work.started, self.work.to_run);
        // The name may take a third of the line: how far the stage is has to be seen.
        let room = (columns() / 3).saturating_sub(place.len() + 3).max(8);
        let name = shown::line(name);
        let name = truncate_str(&name, room, "…");
        bar.set_style(style("{spinner} {prefix}  {wide_msg}"));
        bar.set_prefix(format!("{place} {name}"));
        bar.set_message(kind.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        let running = Running {
            bar,
            start: None,
            since: Instant::now(),
            own: None,
        };
        self.stages.insert(stage, running);
        self.tell_all();
    }

    fn event(&mut self, stage: usize, name: &str, event: &Event) {
        let Some(Running {
            bar,
            start,
            since,
            own,
        }) = self.stages.get_mut(&stage)
        else {
            return;
        };
        match event {
            Event::Progress { step, total, .. } => {
                let start = *start.get_or_insert_with(|| Start::new(*step));
                let template = format!(
                    "{{spinner}} {{prefix}}  {{bar:{}.cyan/dim}}  {{wide_msg}}",
                    self::bar()
                );
                bar.set_style(style(&template));
                bar.set_length(*total);
                bar.set_position(*step);
                let message = describe(event, start).unwrap_or_default();
                bar.set_message(shown::line(&message).into_owned());
                *own =
                    left(*step, *total, start).map(|left| (since.elapsed() + left).as_secs_f64());
                self.tell_all();
            }
            Event::Note { message } => self.line(&format!("  {name}: {}", shown::said(message))),
            Event::Failed(_) | Event::Done { .. } => {}
        }
    }

    /// Takes the stage's bar away; one that has ended for good counts.
    fn close(&mut self, stage: usize, ended: Option<f64>) {
        let Some(Running { bar, .. }) = self.stages.remove(&stage) else {
            return;
        };
        bar.finish_and_clear();
        self.bars.remove(&bar);
        if let Some(seconds) = ended {
            self.work.end(stage, seconds);
        }
        self.tell_all();
    }

    /// The last line: how many stages are done, how long it took, and how long it may take.
    fn tell_all(&self) {
        let Work {
            ended,
            to_run,
            begin,
            ..
        } = &self.work;
        let at_work = self.stages.iter();
        let at_work: Vec<AtWork> = at_work
            .map(|(stage, running)| running.at_work(*stage))
            .collect();
        let left = self
            .work
            .left(&at_work)
            .map_or(String::new(), |(left, is_all)| {
                let how = if is_all { "about" } else { "over" };
                format!("  {how} {} left", clock(left))
            });
        let running = self.stages.len();
        self.all.set_length(*to_run as u64);
        self.all.set_position(*ended as u64);
        self.all.set_message(format!(
            "{ended}/{to_run} done  {running} running  {}{left}",
            clock(begin.elapsed())
        ));
    }
}

impl Running {
    fn at_work(&self, stage: usize) -> AtWork {
        AtWork {
            stage,
            elapsed: self.since.elapsed().as_secs_f64(),
            own: self.own,
        }
    }
}

/// Columns of a bar.
fn bar() -> usize {
    (columns() / 6).clamp(6, 24)
}

fn columns() -> usize {
    screen::width_of_stderr().unwrap_or(80)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file but for a number; a wrong one would only look plain.
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
                let own = (*origin == Origin::Ran).then_some(*seconds);
                self.close(*stage, Some(own.unwrap_or(0.0)));
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
                self.close(*stage, None);
                self.line(&again(&name(*stage), message));
            }
            RunEvent::Retry {
                stage,
                failure,
                alone,
            } => self.line(&retry(&name(*stage), failure, *alone)),
            RunEvent::Failed {
                stage,
                failure,
                seconds,
            } => {
                self.close(*stage, Some(*seconds));
                self.line(&failed(&name(*stage), failure));
            }
            RunEvent::Skipped { stage } => self.skipped.push(name(*stage)),
            RunEvent::End { outcome } => {
                self.all.finish_and_clear();
                self.bars.remove(&self.all);
                if let Some(gpus) = self.gpus.take() {
                    gpus.bar().finish_and_clear();
                    self.bars.remove(gpus.bar());
                }
                if !self.skipped.is_empty() {
                    self.line(&not_run(&self.skipped));
                }
                self.line(&end(outcome, self.work.begin.elapsed()));
            }
        }
    }
}
