//! What is compared: a restored image beside its reference.
//! Unaware of what is measured of them.

use pixels::{Channel, Rgb8};
use spec::metrics::Metric;

/// A restored image beside its reference, and what is measured of them.
pub(in crate::work) struct Compared<'a> {
    pub restored: &'a Rgb8,
    pub reference: &'a Rgb8,
    /// Pixels cut from each side first.
    pub shave: usize,
    pub channel: Channel,
    /// Those that are asked for, in the order of the values.
    pub metrics: &'a [Metric],
}
