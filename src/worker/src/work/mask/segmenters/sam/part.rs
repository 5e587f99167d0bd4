//! What a stage of a batch asks for.
//! Unaware of the other stages, and of how it is done.

use spec::Job;
use spec::kinds::Mask;
use spec::segmenters::Sam as Settings;

use crate::work::Reporter;

/// A stage of a batch.
pub(in crate::work) struct Part<'a> {
    /// What it asks for.
    pub config: &'a Mask,
    /// What it asks of SAM.
    pub sam: &'a Settings,
    /// Where it works.
    pub job: &'a Job,
    /// How it says how it goes.
    pub reporter: &'a Reporter,
}
