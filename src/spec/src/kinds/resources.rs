//! What a stage asks of the machine; never in its key.
//! Unaware of what the machine has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a stage asks of the machine; never in its key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Threads of the stage; all cores when absent. Results of torch stages may differ in the last bits between
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
    /// Seconds between checkpoints.
    pub fn checkpoint_seconds(&self) -> f64 {
        self.checkpoint.unwrap_or(10.0)
    }
}
