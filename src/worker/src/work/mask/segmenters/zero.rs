//! `segmenter: zero`: no masks, in as many places as the stage has.
//! Unaware of images but for their size.

use pixels::MaskStack;
use spec::segmenters::Zero;

use super::stage::{Segment, Stage};
use crate::work::WorkError;

pub(super) struct Maker<'a>(&'a Stage<'a>);

impl<'a> Maker<'a> {
    pub const fn new(Zero {}: &Zero, stage: &'a Stage<'a>) -> Self {
        Self(stage)
    }
}

impl Segment for Maker<'_> {
    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        self.0.filled(at, Vec::new())
    }
}
