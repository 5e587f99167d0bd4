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
    /// GPUs that a torch stage on CUDA gets for itself; 1 when absent.
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
}
