//! A picture that is segmented.
//! Unaware of where it comes from and of what its masks are.

use pixels::Rgb8;

/// A picture under the name that its results get.
pub(super) struct Picture {
    pub name: String,
    /// How the worker calls it.
    pub number: String,
    pub image: Rgb8,
}
