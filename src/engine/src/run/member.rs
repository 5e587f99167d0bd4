//! What the scheduler hands over of a stage, and what it gets back.
//! Unaware of what happens in between.

use super::Origin;

/// A stage of a batch, and which try of it this is, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub at: usize,
    pub attempt: u32,
    /// Whether it reads copies of its inputs.
    pub own_copies: bool,
}

/// How a stage ended that did not fail.
pub(super) struct Finish {
    pub seconds: f64,
    pub origin: Origin,
}
