//! What the user wrote: stages, names, defaults, positions, and the job a worker gets.
//! Unaware of clocks, hashes, caches and networks; reads no file but through the function it is given.
//!
//! ```text
//!  text of the file, of its includes     --set path=value      environment
//!            |                                  |                   |
//!            v                                  v                   v
//!   yaml ── Node (text + position) ── renamed (today's names) ── merge ── override
//!                                                   |
//!                                      expand: `each` multiplies a stage; substitute ${VAR}, {var}
//!                                                   |  a Node for each member
//!                                      de: typed `Kind`, errors keep file:line:column
//!                                                   |
//!                                      resolve: references become edges; check: kinds and sizes fit
//!                                                   |
//!                                      anchor: where the outputs of commands lie in the project
//!                                                   v
//!                                               Pipeline ──> plan, and (as `Job`) the worker
//! ```
//!
//! To add a stage kind: a file in [`kinds`] and a line in its list.

mod around;
pub mod backbones;
mod behind;
mod check;
mod checker;
mod command_layout;
pub mod datasets;
mod de;
mod draft;
mod edge;
mod error;
mod expand;
mod fields;
mod handed;
mod job;
pub mod kinds;
pub mod labels;
mod limits;
mod lines;
mod manual;
pub mod metrics;
mod misplaced;
pub mod names;
mod node;
mod normal;
mod outside;
mod overlaps;
mod overrides;
mod pipeline;
mod places;
mod read;
mod reference;
mod renamed;
mod restoration;
mod scalar;
mod schema;
pub mod segmenters;
mod sensitive;
mod stage;
mod stages;
mod substitute;
mod typed;
mod warn;
mod yaml;

pub use around::Around;
pub use behind::{Behind, History, Part};
pub use command_layout::OURS;
pub use edge::Edge;
pub use error::Problem;
pub use handed::Handed;
pub use job::{
    Device, Event, FailureReport, JOB_FORMAT, Job, KeepDecoded, Said, TF32_OFF, TF32_ON,
};
pub use kinds::{External, Kind, Listing, Resources, Runs, Selection};
pub use limits::{Limits, number as amount};
pub use lines::{Lines, Tag};
pub use manual::reference;
pub use normal::normal;
pub use outside::{Content, Outside};
pub use pipeline::Request;
pub use places::Places;
pub use read::{Read, behind, reads};
pub use reference::find;
pub use restoration::{
    Baseline, Compare, Form, RESTORATION_FORMAT, Restoration, Restored, TILES, Tiles, Weights,
};
pub use schema::schema;
pub use sensitive::is_sensitive;
pub use stage::{Pipeline, Stage};
pub use substitute::NOT_UTF8;
