//! Two trainings side by side (Table 5 of the paper): iterations, seconds, parameters, memory, best PSNR.
//! Unaware of how it is shown beyond a table of two columns.

use artifacts::{ModelCard, steps};
use serde::Serialize;
use serde_json::Value;
use store::{Record, Store};

use super::compare::record;
use crate::cli::Fatal;
use crate::cli::duration::duration;
use engine::history::Keys;

/// Two trainings.
#[derive(Serialize)]
pub(super) struct Schedules {
    a: Schedule,
    b: Schedule,
}

/// What is known of a training; nothing where it was not recorded.
#[derive(Serialize)]
struct Schedule {
    stage: String,
    /// Where it stopped by itself: up to the best validation.
    iterations_to_converge: Option<u64>,
    best_validation_iteration: Option<u64>,
    iterations_run: Option<u64>,
    trainable_parameters: Option<u64>,
    training_seconds: Option<f64>,
    peak_memory_mib: Option<f64>,
    peak_gpu_memory_mib: Option<f64>,
    best_validation_psnr: Option<f64>,
}

/// What stands for something that was not recorded.
const UNKNOWN: &str = "–";

/// Whether the training of this record, which went on for `run` iterations, stopped because it had converged: neither after
/// a fixed number of iterations nor at the most that it was allowed.
fn has_converged(record: &Record, run: Option<u64>) -> bool {
    let mut lines = record.manifest.lines();
    let at_most = lines.find_map(|line| line.strip_prefix("config.until.at_most\t"));
    let at_most: Option<u64> = at_most.and_then(|text| text.parse().ok());
    at_most.zip(run).is_some_and(|(at_most, run)| run < at_most)
}

/// Trainings that both runs have and that differ.
pub(super) fn trainings(store: &Store, a: &Keys, b: &Keys) -> Vec<String> {
    let both = a
        .iter()
        .filter(|(name, key)| b.get(*name).is_some_and(|k| k != *key));
    let trains = |name: &&String| {
        [a, b].iter().all(|keys| {
            record(store, keys, name).is_some_and(|r| r.output(artifacts::steps::FILE).is_some())
        })
    };
    both.map(|(name, _)| name).filter(trains).cloned().collect()
}

/// The trainings of these names, one a run.
pub(super) fn schedules(
    store: &Store,
    (a, first): (&Keys, &str),
    (b, second): (&Keys, &str),
) -> Result<Schedules, Fatal> {
    Ok(Schedules {
        a: Schedule::of(store, a, first)?,
        b: Schedule::of(store, b, second)?,
    })
}

impl Schedules {
    pub(super) fn text(&self) -> String {
        let mut out = format!(
            "\nschedules\n  {:<28}  {:>20}  {:>20}\n",
            "", self.a.stage, self.b.stage
        );
        let (a, b) = (self.a.rows(), self.b.rows());
        for ((what, a), (_, b)) in a.into_iter().zip(b) {
            // What neither has, it was not made to have: a fixed number of iterations converges to nothing.
            if a == UNKNOWN && b == UNKNOWN {
                continue;
            }
            out += &format!("  {what:<28}  {a:>20}  {b:>20}\n");
        }
        out
    }
}

impl Schedule {
    fn of(store: &Store, keys: &Keys, name: &str) -> Result<Self, Fatal> {
        let missing = || {
            let message = format!("this run has no finished stage `{name}` in the cache");
            Fatal::usage(message, "`pipeline show RUN` lists its stages")
        };
        let record = record(store, keys, name).ok_or_else(missing)?;
        Ok(Self::read(store, name, &record))
    }

    fn read(store: &Store, name: &str, record: &Record) -> Self {
        let folder = store.output_dir(&record.key);
        // What cannot be read is shown as not recorded.
        let card = ModelCard::read(&folder).ok();
        let fact = |name: &str| record.facts.get(name).and_then(Value::as_f64);
        let best = steps::read(&folder)
            .ok()
            .and_then(|read| steps::best(&read));
        let run = card.as_ref().and_then(|card| card.iterations_run);
        let reached = best.map(|(n, _)| n).or_else(|| card.as_ref()?.iterations);
        Self {
            stage: name.to_owned(),
            iterations_to_converge: reached.filter(|_| has_converged(record, run)),
            best_validation_iteration: best.map(|(n, _)| n),
            iterations_run: run,
            trainable_parameters: card.as_ref().and_then(|card| card.trainable),
            training_seconds: fact("training_seconds"),
            peak_memory_mib: fact("peak_memory_mib"),
            peak_gpu_memory_mib: fact("peak_gpu_memory_mib"),
            best_validation_psnr: best.map(|(_, psnr)| psnr),
        }
    }

    fn rows(&self) -> [(&'static str, String); 8] {
        let count = |n: Option<u64>| n.map_or(UNKNOWN.into(), |n| n.to_string());
        let mib = |mib: Option<f64>| mib.map_or(UNKNOWN.into(), |mib| mib.to_string());
        let seconds = |s: f64| format!("{s:.1} ({})", duration(s));
        [
            ("iterations to converge", count(self.iterations_to_converge)),
            ("iterations run", count(self.iterations_run)),
            (
                "iteration of best validation",
                count(self.best_validation_iteration),
            ),
            ("trainable parameters", count(self.trainable_parameters)),
            (
                "seconds of training",
                self.training_seconds.map_or(UNKNOWN.into(), seconds),
            ),
            ("peak memory (MiB)", mib(self.peak_memory_mib)),
            ("peak GPU memory (MiB)", mib(self.peak_gpu_memory_mib)),
            (
                "best validation PSNR (dB)",
                self.best_validation_psnr
                    .map_or(UNKNOWN.into(), |psnr| format!("{psnr:.4}")),
            ),
        ]
    }
}
