//! Runs plans and remembers what happened: `run` is the loop and who computes, `history` the journals of earlier runs.
//! Unaware of terminals and of the command line.

pub mod history;
pub mod run;
