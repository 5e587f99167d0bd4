//! The files that stages hand each other: for each its name, its type, and how it is written and read.
//! Unaware of how what is in them was computed, of keys and of where a stage's folder lies.
//!
//! ```text
//!   prepare ── pairs.json ──> mask, train, tune, evaluate, report
//!   mask ───── masks.json ──> tune, evaluate, report;  masks/<image>.json ──> pipeline masks
//!   train ──┬─ model.json ──> tune, evaluate;  steps.csv ──> report
//!   evaluate ─ metrics.csv, summary.json ──> report
//!   any model ── pipeline export ── model.safetensors ──> pipeline restore
//! ```
//!
//! A file without a format number is of format 1. A number is written from format 2 on, so that files of today keep their
//! bytes; one that is higher than [`FORMAT`] is refused, never guessed at. Fields and columns are found by name.

mod bounds;
mod error;
pub mod exported;
mod json;
mod mask_source;
pub mod masks;
pub mod metrics;
pub mod model;
pub mod pairs;
pub mod records;
pub mod steps;
pub mod summary;
mod table;

pub use error::{ArtifactError, Result};
pub use exported::{Contents, Evaluated, Exported, Tensors};
pub use mask_source::MaskSource;
pub use masks::{MaskEntry, MaskList, Tally};
pub use metrics::Metrics;
pub use model::{ModelCard, SptCard};
pub use pairs::{PairEntry, PairList};
pub use records::{MaskRecord, MaskRecords};
pub use steps::Step;
pub use summary::Summary;

/// The newest format of these files that is known here.
pub const FORMAT: u32 = 1;
