//! The orchestrator: plan, run, report and the command line around them; does not link libtorch.
//! Unaware of tensors. Data goes one way: spec → plan → run → report; `cli` wires the rooms.

pub mod cli;
pub mod history;
pub mod plan;
pub mod report;
pub mod run;
