//! How much of a run is done, and how long the rest may take: by earlier runs, else by what this one has seen so far.
//! Unaware of terminals.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::rate::seconds as seconds_of;
use crate::cli::estimates::{Estimates, Expected};

/// The work of a run.
pub struct Work {
    estimates: Estimates,
    /// How many stages run.
    pub to_run: usize,
    /// How many have begun.
    pub started: usize,
    /// How many have ended.
    pub ended: usize,
    /// When the run began.
    pub begin: Instant,
    /// The stages that have ended, and the seconds they took.
    took: BTreeMap<usize, f64>,
}

/// A stage at work: seconds since it began, and in all by its own progress, where it says that.
#[derive(Clone, Copy, Debug)]
pub struct AtWork {
    pub stage: usize,
    pub elapsed: f64,
    pub own: Option<f64>,
}

/// Seconds of the stages of a kind, of trainings for each iteration.
type Pace = BTreeMap<(&'static str, bool), f64>;

impl Work {
    /// Of a run of `to_run` stages.
    pub fn new(to_run: usize, estimates: Estimates) -> Self {
        Self {
            estimates,
            to_run,
            started: 0,
            ended: 0,
            begin: Instant::now(),
            took: BTreeMap::new(),
        }
    }

    /// A stage begins.
    pub fn start(&mut self) {
        self.started += 1;
        self.to_run = self.to_run.max(self.started); // more than was planned, after an `Again`
    }

    /// A stage has ended after so many seconds.
    pub fn end(&mut self, stage: usize, seconds: f64) {
        self.ended += 1;
        self.took.insert(stage, seconds);
    }

    /// The time left, if the rest goes as what is done did, and whether something is known of every stage; none where
    /// nothing is known of any.
    pub fn left(&self, at_work: &[AtWork]) -> Option<(Duration, bool)> {
        let elapsed = self.begin.elapsed().as_secs_f64();
        if elapsed < 1.0 || self.ended >= self.to_run {
            return None;
        }
        let pace = self.pace(at_work);
        let mean = self.estimates.mean();
        let (mut all, mut done, mut is_all) = (0.0, 0.0, true);
        for expected in self.estimates.all() {
            let earlier = expected.estimate.map(|e| e.seconds);
            let running = at_work.iter().find(|r| r.stage == expected.stage);
            let took = self.took.get(&expected.stage);
            let own = running.and_then(|r| r.own).or(took.copied());
            let known = earlier.or(own).or_else(|| paced(&pace, expected)).or(mean);
            let Some(seconds) = known else {
                is_all = false;
                continue;
            };
            all += seconds;
            done += match (took, running) {
                (Some(_), _) => seconds,
                (None, Some(running)) => running.elapsed.min(seconds),
                (None, None) => 0.0,
            };
        }
        if done <= 0.0 || all - done < 0.5 && !is_all {
            return None;
        }
        let left = seconds_of(elapsed / done * (all - done).max(0.0))?;
        Some((left, is_all))
    }

    /// What this run has seen of each kind of stage. Commands have nothing in common but their kind.
    fn pace(&self, at_work: &[AtWork]) -> Pace {
        let mut seen: BTreeMap<_, (f64, f64)> = BTreeMap::new();
        for expected in self.estimates.all() {
            let running = at_work.iter().find(|r| r.stage == expected.stage);
            let took = self.took.get(&expected.stage).copied();
            let Some(seconds) = took.or(running.and_then(|r| r.own)) else {
                continue;
            };
            let (sum, amount) = seen.entry(kind(expected)).or_default();
            *sum += seconds;
            *amount += amount_of(expected);
        }
        seen.remove(&("command", false));
        let each = |(kind, (sum, amount)): (_, (f64, f64))| (kind, sum / amount.max(1.0));
        seen.into_iter().map(each).collect()
    }
}

fn kind(expected: &Expected) -> (&'static str, bool) {
    (expected.kind, expected.iterations.is_some())
}

/// A stage counts once, a training its iterations.
fn amount_of(expected: &Expected) -> f64 {
    expected.iterations.map_or(1.0, |n| n as f64)
}

fn paced(pace: &Pace, expected: &Expected) -> Option<f64> {
    Some(pace.get(&kind(expected))? * amount_of(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(stage: usize, kind: &'static str, iterations: Option<u64>) -> Expected {
        Expected {
            stage,
            kind,
            iterations,
            estimate: None,
        }
    }

    fn work(expected: Vec<Expected>) -> Work {
        let mut work = Work::new(expected.len(), Estimates::of_stages(expected));
        work.begin = work
            .begin
            .checked_sub(Duration::from_secs(10))
            .unwrap_or(work.begin);
        work
    }

    fn seconds(left: Option<(Duration, bool)>) -> Option<(u64, bool)> {
        left.map(|(left, is_all)| (left.as_secs_f64().round() as u64, is_all))
    }

    #[test]
    fn a_first_run_learns_from_its_own_stages() {
        let mut work = work(vec![
            stage(0, "train", Some(100)),
            stage(1, "tune", Some(50)),
            stage(2, "tune", Some(100)),
            stage(3, "evaluate", None),
        ]);
        assert_eq!(work.left(&[]), None);
        // 10 s into one that takes 40 by its own progress; nothing is known of the others.
        let running = |stage, elapsed, own| AtWork {
            stage,
            elapsed,
            own,
        };
        let training = [running(0, 10.0, Some(40.0))];
        assert_eq!(seconds(work.left(&training)), Some((30, false)));
        work.end(0, 10.0);
        let tuning = [running(1, 0.0, Some(20.0))];
        // 20 s of this one, 40 of the other, which has twice the iterations.
        assert_eq!(seconds(work.left(&tuning)), Some((60, false)));
        work.end(3, 0.0);
        assert_eq!(seconds(work.left(&tuning)), Some((60, true)));
    }

    #[test]
    fn commands_tell_nothing_of_each_other() {
        let mut work = work(vec![stage(0, "command", None), stage(1, "command", None)]);
        work.end(0, 10.0);
        assert_eq!(work.left(&[]), None);
    }
}
