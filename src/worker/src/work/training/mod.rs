//! One loop for `train` and `tune`, from a start to weights, resumable at any moment.
//! Unaware of evaluation tables; the loop does not know whether it trains a backbone or SPT units.
//!
//! ```text
//!   pairs, masks ─> windows, decoded ─> raw(iteration), a pure function of seed and iteration ─> ahead ─> batch
//!                       |
//!   state: trainable weights, Adam's moments, iteration, best so far, log   <── partial/<key>/state/state.safetensors,
//!                       |                                  else before.safetensors: each carries its own digest
//!                       |
//!   loop: batch ─> forward ─> loss ─> Adam ─> log ─> validate? ─> checkpoint? ─> converged?
//!                       |
//!   weights.safetensors, model.json, steps.csv
//! ```
//!
//! No random state is kept: the data of an iteration depend on seed and iteration alone, so a resumed run sees what an
//! uninterrupted one sees, and ends with the same bytes on the CPU with the same number of threads.

mod batch;
mod decoded;
mod patches;
mod raw;
mod run;
mod seal;
mod state;
mod step;
mod validation;
mod windows;

pub use batch::{Batch, Batches, Data, Feed};
pub(super) use run::{Training, run};
