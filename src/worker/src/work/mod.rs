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
//! To add a kind: a file here, and an arm in [`entry`].

mod entry;
mod error;
mod evaluate;
mod facts;
mod files;
mod gpu_memory;
mod mask;
mod masks;
mod memory;
mod model;
mod pairs;
mod partners;
mod prepare;
mod pretrained;
mod reporter;
mod training;

pub use entry::main;
pub use error::WorkError;
pub use model::Model;
pub use pairs::LqImage;
pub use reporter::Reporter;
pub use training::{Batch, Batches};
