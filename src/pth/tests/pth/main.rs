//! The reader over whole files: against another reader, and over mutated ones.
//! Unaware of networks.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod bounds;
mod compare;
#[path = "../../../../tests/dice.rs"]
mod dice;
mod fuzz;
#[path = "../../../../tests/fuzz.rs"]
mod fuzzer;
mod write;
#[path = "../../../../tests/zip.rs"]
mod zip;
