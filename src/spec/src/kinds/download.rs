//! A file that somebody publishes.
//! Unaware of who reads it.

use std::path::Path;

/// A file that can be had from whoever publishes it; nothing is downloaded here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download<'k> {
    /// Where the stage reads it.
    pub path: &'k Path,
    /// What it is.
    pub what: String,
    /// Where it can be had.
    pub url: &'static str,
}
