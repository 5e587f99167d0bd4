//! What was run: one journal a run, and how long stages of each kind took.
//! Unaware of plans and of how runs are shown. All of it can be lost: that costs explanations, never a result. Lines and
//! files carry digests; what is damaged is left out, and `show` says so.
//!
//! ```text
//!   <cache>/runs/<id>.jsonl     {"run": …} at the start, {"stage": …} as each one ends, {"end": …}; a run without an
//!                               end goes on now or was killed: its lock says which
//!   <cache>/runs/<id>.lock      held while the run lives
//!   <cache>/runs/keys/<digest>  stage names and their keys; runs with the same plan share the file
//!   <cache>/runs/seconds.json   how long stages took lately, by kind and by name
//! ```

mod journal;
mod read;
mod record;
mod seconds;

pub use journal::{Journal, new_id};
pub use read::{History, HistoryError, Past, RunStatus};
pub use record::{End, FORMAT, Git, Header, Keys, StageEnd, StageLine, changed};
pub use seconds::{Estimate, Seconds};

use std::path::{Path, PathBuf};

/// The folder of journals in this cache.
fn folder(cache: &Path) -> PathBuf {
    cache.join("runs")
}
