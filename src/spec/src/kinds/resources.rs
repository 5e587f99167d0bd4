//! What a stage asks of the machine; never in its key. Each number has a limit, above which it is a mistake.
//! Unaware of what the machine has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a stage asks of the machine; never in its key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Threads of the stage, at most 1024; all cores when absent. On a machine with few cores it gets eight a core at
    /// most. Results of torch stages may differ in the last bits between
    /// numbers of threads, which is why this is recorded.
    pub threads: Option<u32>,
    /// Seconds between checkpoints of a training; 10 when absent.
    pub checkpoint: Option<f64>,
    /// GPUs that a stage on CUDA gets for itself; 1 when absent, and for a command none. Only a command can use several.
    pub gpus: Option<u32>,
    /// So many stages with this wish may share one GPU.
    pub gpu_share: Option<u32>,
    /// How often a failed stage is tried again; 0 when absent. What a signal stopped is not a failure.
    pub retries: Option<u32>,
    /// Seconds after which the stage is stopped and has failed; no limit when absent.
    pub timeout: Option<f64>,
    /// GiB of memory above which the stage is stopped and has failed; no limit when absent.
    pub memory: Option<f64>,
}

impl Resources {
    /// The most threads, GPUs, and sharers of a GPU.
    pub const MOST: u32 = 1024;
    /// The most tries after the first.
    pub const MOST_RETRIES: u32 = 1000;
    /// The longest time, in seconds: 31 years.
    pub const LONGEST: f64 = 1e9;
    /// The most memory, in GiB: a pebibyte.
    pub const MOST_MEMORY: f64 = 1_048_576.0;

    /// Seconds between checkpoints.
    pub fn checkpoint_seconds(&self) -> f64 {
        self.checkpoint.unwrap_or(10.0)
    }

    /// What cannot be asked of any machine: the field, and what is wrong with it.
    pub(crate) fn wrong(&self) -> Vec<(&'static str, String)> {
        let Self {
            threads,
            checkpoint,
            gpus,
            gpu_share,
            retries,
            timeout,
            memory,
        } = self;
        let mut wrong = Vec::new();
        let mut count = |field, value: &Option<u32>, least: u32, most: u32| {
            if let Some(value) = value.filter(|v| !(least..=most).contains(v)) {
                let text =
                    format!("out of range: {value}, expected a number from {least} to {most}");
                wrong.push((field, text));
            }
        };
        count("threads", threads, 1, Self::MOST);
        count("gpus", gpus, 0, Self::MOST);
        count("gpu_share", gpu_share, 1, Self::MOST);
        count("retries", retries, 0, Self::MOST_RETRIES);
        let mut amount = |field, value: &Option<f64>, zero: bool, most: f64, unit: &str| {
            let good = |v: &f64| (*v > 0.0 || zero && *v == 0.0) && *v <= most;
            if let Some(value) = value.filter(|v| !good(v)) {
                let above = if zero { "from 0" } else { "above 0" };
                let text =
                    format!("out of range: {value:?}, expected {unit} {above}, at most {most}");
                wrong.push((field, text));
            }
        };
        amount("checkpoint", checkpoint, true, Self::LONGEST, "seconds");
        amount("timeout", timeout, false, Self::LONGEST, "seconds");
        amount("memory", memory, false, Self::MOST_MEMORY, "GiB");
        if gpu_share.is_some() && gpus.is_some_and(|n| n != 1) {
            let text = "only a stage that asks for one GPU can share it".to_owned();
            wrong.push(("gpu_share", text));
        }
        wrong
    }
}
