//! Images decoded and scaled for SAM's encoder, ahead of it, by a thread of their own.
//! Unaware of the networks and of what becomes of masks.
//!
//! ```text
//!   wanted images ──> thread: decode, scale ── one group ahead ──> group(), in order ──> encoder
//!                       ├─ too large beside those in hand ──────> group() makes it itself, and ends before it while they are
//!                       └─ an error ────────────────────────────> group() ends before it, and tells it the next time
//! ```

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

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
    /// Which of the wanted images comes next.
    next: usize,
    /// Whether it has still to be made, because it was not ahead.
    is_late: bool,
    /// What went wrong with it, while those before it are worked on.
    failed: Option<WorkError>,
    waited: f64,
}

struct Shared {
    images: Arc<Images>,
    wanted: Vec<usize>,
    /// Images that go through the encoder at once, at most.
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
        Self::within(memory_budget(), images, wanted, group, side)
    }

    /// The same within a number of bytes.
    fn within(
        budget: u64,
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
            budget,
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
            is_late: false,
            failed: None,
            waited: 0.0,
        })
    }

    /// The next group, shorter where a further image would not fit into memory beside it; empty after the last one. What went
    /// wrong with an image is told when those before it have been handed over.
    pub fn group(&mut self) -> Result<Vec<Picture>, WorkError> {
        let begin = Instant::now();
        let group = self.gathered();
        self.waited += begin.elapsed().as_secs_f64();
        group
    }

    /// Seconds that [`Self::group`] has taken so far.
    pub const fn waited(&self) -> f64 {
        self.waited
    }

    fn gathered(&mut self) -> Result<Vec<Picture>, WorkError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut group = Vec::new();
        while group.len() < self.shared.group {
            match self.beside(group.len()) {
                Ok(Some(picture)) => group.push(picture),
                Ok(None) => break,
                Err(error) if group.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(group)
    }

    /// The next image, if there is one that fits beside the `before` ones of its group.
    fn beside(&mut self, before: usize) -> Result<Option<Picture>, WorkError> {
        if !self.is_late {
            match self.ahead.next().transpose()? {
                None => return Ok(None),
                Some(None) => self.is_late = true,
                Some(made) => {
                    self.next += 1;
                    return Ok(made);
                }
            }
        }
        if before > 0 && !self.shared.fit(self.next - before..=self.next) {
            return Ok(None);
        }
        self.is_late = false;
        self.next += 1;
        self.shared.picture(self.next - 1).map(Some)
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

    /// An error where an image would not fit alone.
    fn check(&self, n: usize) -> Result<(), WorkError> {
        let at = self.wanted[n];
        let what = format!("segmenting `{}`", self.images.name(at));
        Ok(check_memory(&what, self.images.size(at), IMAGE_BYTES)?)
    }

    /// Whether it and as many images before it as may be in hand, its own group and the one before, fit together.
    fn fits_beside(&self, n: usize) -> bool {
        self.fit((n + 1).saturating_sub(2 * self.group)..=n)
    }

    /// Whether some of the wanted images fit together.
    fn fit(&self, some: RangeInclusive<usize>) -> bool {
        let bytes = |at: &usize| {
            let (width, height) = self.images.size(*at);
            (width as u64) * (height as u64) * IMAGE_BYTES
        };
        self.wanted[some].iter().map(bytes).sum::<u64>() <= self.budget
    }

    fn picture(&self, n: usize) -> Result<Picture, WorkError> {
        let at = self.wanted[n];
        let image = self.images.image(at)?;
        let scaled = Scaled::of(&image, self.side)
            .map_err(|error| WorkError::from(error).about(self.images.name(at)))?;
        Ok(Picture { at, image, scaled })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::images;
    use super::*;

    /// The places of each group's images, and what ended them.
    fn groups(pictures: &mut Pictures) -> (Vec<Vec<usize>>, Option<WorkError>) {
        let mut all = Vec::new();
        loop {
            match pictures.group() {
                Ok(group) if group.is_empty() => return (all, None),
                Ok(group) => all.push(group.iter().map(|picture| picture.at).collect()),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[test]
    fn a_bad_image_costs_none_of_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path(), &[5, 6, 0, 7]);
        let mut pictures = Pictures::new(&images, vec![0, 1, 2, 3], 3, 64).unwrap();
        let (all, error) = groups(&mut pictures);
        assert_eq!(all, [[0, 1]]);
        assert!(error.unwrap().to_string().contains("2.png"));
        assert!(pictures.waited() > 0.0);
        let (all, error) = groups(&mut Pictures::new(&images, vec![0, 1, 3], 3, 64).unwrap());
        assert_eq!((all, error), (vec![vec![0, 1, 3]], None));
    }

    /// One large image among small ones: it is not taken for as large as all of them.
    #[test]
    fn a_group_ends_where_its_own_images_fill_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path(), &[10, 10, 50, 10, 10, 40, 20, 20]);
        let of = |pixels: u64| {
            let budget = pixels * IMAGE_BYTES;
            let all = (0..images.len()).collect();
            let (groups, error) =
                groups(&mut Pictures::within(budget, &images, all, 4, 64).unwrap());
            assert_eq!(error, None);
            groups
        };
        assert_eq!(of(1000), [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
        assert_eq!(of(80), [vec![0, 1, 2, 3], vec![4, 5, 6], vec![7]]);
        assert_eq!(
            of(50),
            [vec![0, 1], vec![2], vec![3, 4], vec![5], vec![6, 7]]
        );
    }
}
