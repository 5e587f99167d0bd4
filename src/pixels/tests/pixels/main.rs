//! The tests of this crate that need files or a reference implementation, in one binary.
//! Unaware of the crate's inside: only its public names are used.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "../../../../tests/dice.rs"]
mod dice;
mod fuzz;
#[path = "../../../../tests/fuzz.rs"]
mod fuzzer;
mod golden;
mod jpeg;
mod photos;
mod resize;
mod set5;
