//! Runs pipelines: all that a front end needs and that is not its looks. `session` understands a file on this machine,
//! `verify`, `execute`, `materialize` and `publish` make and deliver results, `run` is the loop and who computes, `history`
//! the journals of earlier runs. Unaware of terminals and of the command line.
//!
//! ```text
//!   Options ── session ──> Plan ── verify ── execute (run: loop, executors) ── materialize ── publish
//!                 |                              |
//!      root, inside, worker,                 recording ──> history
//!      gather (external files), past
//! ```

mod crops;
pub mod decoded;
pub mod error;
pub mod execute;
pub mod executors;
pub mod external;
pub mod gather;
pub mod history;
pub mod how_placed;
pub mod inside;
pub mod invocation;
pub mod keep_decoded;
pub mod live;
pub mod materialize;
pub mod notice;
pub mod numbers;
pub mod page;
pub mod past;
pub mod paths;
pub mod progress;
pub mod publish;
pub mod recording;
pub mod reports;
pub mod root;
pub mod run;
pub mod secrets;
pub mod session;
pub mod verify;
pub mod worker;
