//! One shape for everything that is wrong, wherever it is found: in a pipeline file, in a request, in the cache, in a stage.
//! Unaware of what is described, of how a program ends, and of terminals: [`render`] makes texts, with colour or without.
//!
//! ```text
//!   spec: Problem + position ─┐                        ┌──> text: place, line with the span marked, hint
//!   engine: Error ────────────┼──> Diagnostic(s) ──────┼──> JSON, a line each
//!   worker: failed stage ─────┘                        └──> the worker's protocol
//! ```

mod diagnostic;
pub mod render;
pub mod shown;

pub use diagnostic::{Diagnostic, Diagnostics, Place, Severity};
