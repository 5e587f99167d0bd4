//! One try of a stage: which it is, and how it ended.
//! Unaware of what is done in between.

use super::event::Origin;

/// A stage of a batch, and which try of it this is, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub at: usize,
    pub attempt: u32,
    /// Whether it reads copies of its inputs.
    pub own_copies: bool,
    /// Whether a result that is there does not do (`--force`). It does once this run has made one: whoever replaces that
    /// one was asked later, and two forced runs would take each other's results away for ever.
    pub anew: bool,
}

/// How a stage ended that did not fail.
pub(super) struct Finish {
    pub seconds: f64,
    pub origin: Origin,
}
