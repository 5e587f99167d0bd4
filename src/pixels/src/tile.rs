//! The sizes of a tile, which fix the order in which metrics are summed.
//! Unaware of what is summed.

/// Side of the window.
pub(crate) const WINDOW: usize = 11;

/// Pixels that a tile owns, across and down; part of the results' definition, down to the last bit.
pub(crate) const ACROSS: usize = 64;
pub(crate) const DOWN: usize = 64;
/// Samples of a tile's row: those it owns and those that its windows reach.
pub(crate) const STRIDE: usize = ACROSS + WINDOW - 1;
pub(crate) const ROWS: usize = DOWN + WINDOW - 1;
