//! The door: the command line around planning, running and reporting; does not link libtorch.
//! Unaware of tensors.

pub mod cli;
