//! Images decoded and scaled for SAM's encoder, ahead of it, by a thread of their own.
//! Unaware of the networks and of what becomes of masks.
//!
//! ```text
//!   wanted images ──> thread: decode, scale ── one group ahead ──> next(), in order ──> encoder
//!                       └─ too large beside those in hand ──────> next() makes it itself, when they are gone
//! ```

use std::sync::Arc;

use pixels::{Rgb8, check_memory, memory_budget};

use crate::nn::sam::Scaled;
use crate::work::WorkError;
use crate::work::ahead::{Ahead, Pace};
use crate::work::mask::images::Images;

/// Bytes for each pixel of an image besides its masks: the picture, a crop of it, its scaled copies, and a mask as a
/// picture while its small regions are removed.
const IMAGE_BYTES: u64 = 16;

/// An image as SAM takes it.
pub(super) struct Picture {
    /// Its place among all images.
    pub at: usize,
    pub image: Rgb8,
    pub scaled: Scaled,
}

/// The images that are wanted, one group after the other.
pub(super) struct Pictures {
    shared: Arc<Shared>,
    /// `None` of one that would not fit into memory beside those that are worked on.
    ahead: Ahead<Option<Picture>>,
    next: usize,
}

struct Shared {
    images: Arc<Images>,
    wanted: Vec<usize>,
    /// Images that go through the encoder at once.
    group: usize,
    /// Side of the encoder's input in pixels.
    side: i64,
    /// Bytes that images may take.
    budget: u64,
}

impl Pictures {
    /// Begins with the first of the images `wanted`, for an encoder of `side`×`side` pixels that takes `group` at once.
    pub fn new(
        images: &Arc<Images>,
        wanted: Vec<usize>,
        group: usize,
        side: i64,
    ) -> Result<Self, WorkError> {
        let shared = Arc::new(Shared {
            images: Arc::clone(images),
            wanted,
            group: group.max(1),
            side,
            budget: memory_budget(),
        });
        let pace = Pace {
            threads: 1,
            depth: shared.group,
        };
        let end = shared.wanted.len() as u64;
        let makes = Arc::clone(&shared);
        let make = move |n| makes.ahead(n as usize);
        Ok(Self {
            ahead: Ahead::new(0..end, pace, || (), make)?,
            shared,
            next: 0,
        })
    }

    /// The next group; empty after the last one. An error is that of the first image of it that cannot be had.
    pub fn group(&mut self) -> Result<Vec<Picture>, WorkError> {
        let mut group = Vec::new();
        while group.len() < self.shared.group {
            let Some(made) = self.ahead.next() else { break };
            let n = self.next;
            self.next += 1;
            group.push(match made? {
                Some(picture) => picture,
                None => self.shared.picture(n)?,
            });
        }
        Ok(group)
    }
}

impl Shared {
    /// The `n`th wanted image, if it fits beside those before it that are still in hand.
    fn ahead(&self, n: usize) -> Result<Option<Picture>, WorkError> {
        self.check(n)?;
        if self.fits_beside(n) {
            self.picture(n).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An error where a group of images of this size would not fit.
    fn check(&self, n: usize) -> Result<(), WorkError> {
        let begin = n - n % self.group;
        let beside = self.group.min(self.wanted.len() - begin) as u64;
        let at = self.wanted[n];
        let what = format!("segmenting `{}`", self.images.name(at));
        Ok(check_memory(
            &what,
            self.images.size(at),
            IMAGE_BYTES * beside,
        )?)
    }

    /// Whether it and as many images before it as may be in hand, its own group and the one before, fit together.
    fn fits_beside(&self, n: usize) -> bool {
        let first = (n + 1).saturating_sub(2 * self.group);
        let bytes = |at: &usize| {
            let (width, height) = self.images.size(*at);
            (width as u64) * (height as u64) * IMAGE_BYTES
        };
        self.wanted[first..=n].iter().map(bytes).sum::<u64>() <= self.budget
    }

    fn picture(&self, n: usize) -> Result<Picture, WorkError> {
        let at = self.wanted[n];
        let image = self.images.image(at)?;
        let scaled = Scaled::of(&image, self.side)
            .map_err(|error| WorkError::from(error).about(self.images.name(at)))?;
        Ok(Picture { at, image, scaled })
    }
}
