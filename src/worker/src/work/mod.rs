//! The stages: one file a kind, from a job to files in its output folder.
//! Unaware of the graph, of keys (a key is an opaque word here) and of who asks.
//!
//! ```text
//!   job.json… ─> entry: threads, device, death signal, panics become messages
//!                 |
//!                 v             inputs: folders of finished stages
//!   prepare ─> pairs.json + hr/, lq/            mask ─> masks.json + masks/
//!   pretrained, train, tune ─> weights.safetensors + model.json (+ steps.csv)
//!   evaluate ─> metrics.csv + summary.json
//!                 |
//!                 v
//!   events on standard output: progress, notes, at last `done` with facts or `failed` with a hint
//! ```
//!
//! To add a kind: a file here, and a line in [`stage`].

mod ahead;
mod behind;
mod entry;
mod error;
mod evaluate;
mod facts;
mod files;
mod gpu_memory;
mod mask;
mod masks;
mod memory;
mod metrics;
mod model;
mod numbers;
mod outside;
mod pairs;
mod partners;
mod prepare;
mod pretrained;
mod reporter;
mod restore;
mod train;
mod training;
mod tune;

use spec::kinds::Worker;
use spec::{Job, Runs};

pub use entry::main;
pub use error::WorkError;
use facts::FactMap;
pub use model::Model;
pub use pairs::LqImage;
pub use reporter::Reporter;
pub use training::{Batch, Batches, Data, Feed};

/// Does one stage.
fn stage(job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    match job.stage.runs() {
        Runs::Worker(Worker::Prepare(config)) => prepare::run(config, job, reporter),
        Runs::Worker(Worker::Mask(config)) => mask::run(config, job, reporter),
        Runs::Worker(Worker::Pretrained(config)) => pretrained::run(config, job, reporter),
        Runs::Worker(Worker::Train(config)) => train::run(config, job, reporter),
        Runs::Worker(Worker::Tune(config)) => tune::run(config, job, reporter),
        Runs::Worker(Worker::Evaluate(config)) => evaluate::run(config, job, reporter),
        Runs::Report(_) | Runs::Program(_) => Err(WorkError::new(
            "`pipeline` itself does stages of this kind",
            "",
        )),
    }
}
