//! How long the stages to run may take, by how long stages took in earlier runs.
//! Unaware of how it is shown.

use diagnostics::shown::counted;
use engine::history::{Estimate, Seconds};
use engine::session::Session;
use engine::{progress, recording};
use plan::{Plan, Verdict};

use super::duration::duration;

/// The stages that are to run, with what earlier runs say of each.
pub struct Estimates {
    /// Sorted by stage.
    found: Vec<Expected>,
}

/// A stage that is to run.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Its place in the pipeline.
    pub stage: usize,
    /// Its kind.
    pub kind: &'static str,
    /// The iterations of a training.
    pub iterations: Option<u64>,
    /// What earlier runs say.
    pub estimate: Option<Estimate>,
}

impl Estimates {
    /// Of all stages of the plan that are to run.
    pub fn new(session: &Session, plan: &Plan) -> Self {
        let (_, stale, _) = plan.counts();
        if stale == 0 {
            return Self { found: Vec::new() };
        }
        let seconds = Seconds::read(session.store.root());
        let class = recording::device_class(session.device);
        let expected = |at: usize| {
            let stage = &session.pipeline.stages[at];
            let iterations = stage.kind.schedule().map(spec::kinds::Schedule::limit);
            let whole = seconds.estimate(class, stage.kind.name(), &stage.name, iterations);
            Expected {
                stage: at,
                kind: stage.kind.name(),
                iterations,
                estimate: whole.map(|whole| rest(session, plan, at, iterations, whole)),
            }
        };
        let stale = plan
            .stages
            .iter()
            .filter(|p| matches!(p.verdict, Verdict::Stale(_)));
        Self::of_stages(stale.map(|p| expected(p.stage)).collect())
    }

    /// Of these stages.
    pub fn of_stages(mut found: Vec<Expected>) -> Self {
        found.sort_unstable_by_key(|expected| expected.stage);
        Self { found }
    }

    /// All stages.
    pub fn all(&self) -> &[Expected] {
        &self.found
    }

    /// What is known of a stage.
    pub fn of(&self, at: usize) -> Option<Estimate> {
        let n = self.found.binary_search_by_key(&at, |e| e.stage).ok()?;
        self.found[n].estimate
    }

    /// The mean of what is known.
    pub fn mean(&self) -> Option<f64> {
        let known = self.found.iter().filter_map(|e| Some(e.estimate?.seconds));
        let (count, sum) = known.fold((0, 0.0), |(n, sum), seconds| (n + 1, sum + seconds));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// The line below the plan; nothing is said where nothing is known.
    pub fn total(&self, stale: usize, hourly: Option<f64>) -> String {
        let known: Vec<Estimate> = self.found.iter().filter_map(|e| e.estimate).collect();
        if known.is_empty() {
            return String::new();
        }
        let seconds: f64 = known.iter().map(|e| e.seconds).sum();
        let cost = hourly.map_or(String::new(), |price| {
            format!(", {:.2} at {price} an hour", seconds / 3600.0 * price)
        });
        format!(
            "estimate from earlier runs: {} of work{cost} ({} of {} known)\n",
            duration(seconds),
            known.len(),
            counted(stale, "stage"),
        )
    }
}

/// What is left of a training that was interrupted: it goes on from its last checkpoint.
fn rest(
    session: &Session,
    plan: &Plan,
    at: usize,
    iterations: Option<u64>,
    whole: Estimate,
) -> Estimate {
    let key = plan.get(at).and_then(|planned| planned.key);
    let done = key.and_then(|key| progress::iterations(&session.store.state_path(&key)));
    match (done, iterations) {
        (Some(done), Some(all)) if all > 0 => Estimate {
            seconds: whole.seconds * all.saturating_sub(done) as f64 / all as f64,
            ..whole
        },
        _ => whole,
    }
}
