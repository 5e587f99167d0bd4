//! PSNR on images that are not trained on, while a training runs, and the rule by which it stops.
//! Unaware of the loop.

use pixels::{PixelError, score};
use spec::kinds::{Degrade, Schedule, Tiling, Until};
use spec::{Job, names::Luma};

use crate::work::evaluate::channel;
use crate::work::masks::Masks;
use crate::work::model::Model;
use crate::work::pairs::Pairs;
use crate::work::{WorkError, files};

/// The images of `validate`.
pub(super) struct Validation {
    pairs: Pairs,
    masks: Option<Masks>,
    every: u64,
}

impl Validation {
    /// Opens them, if the schedule has a validation.
    pub fn open(schedule: &Schedule, job: &Job) -> Result<Option<Self>, WorkError> {
        let Some(validate) = &schedule.validate else {
            return Ok(None);
        };
        let pairs = Pairs::open(files::input(job, "validate.images")?)?;
        let masks = match job.inputs.get("validate.masks") {
            Some(folder) => Some(Masks::open(folder, &pairs)?),
            None => None,
        };
        Ok(Some(Self {
            pairs,
            masks,
            every: validate.every,
        }))
    }

    /// Whether there is a validation after `iteration` of at most `limit`.
    pub fn due(&self, iteration: u64, limit: u64) -> bool {
        iteration.is_multiple_of(self.every) || iteration == limit
    }

    /// Mean PSNR in dB: of Y, not rounded, after shaving the scale for SR; of RGB for denoising. In float32, cut as the
    /// network's official test code cuts images. Images without any error and those that shaving leaves nothing of are
    /// counted as `pixels::score` says, so that the mean is a number at every iteration.
    pub fn psnr(&self, model: &Model) -> Result<f64, WorkError> {
        let (luma, shave) = match self.pairs.list.degrade {
            Degrade::Sr(scale) => (Luma::Unrounded, scale as usize),
            Degrade::Denoise(_) => (Luma::Rgb, 0),
        };
        let count = self.pairs.list.pairs.len();
        let mut values = Vec::with_capacity(count);
        for at in 0..count {
            let stack = self.masks.as_ref().map(|m| m.stack(at)).transpose()?;
            let restored = model.restore(&self.pairs.lq(at)?, stack.as_ref(), Tiling::Official)?;
            let psnr = pixels::psnr(&restored, &self.pairs.hr(at)?, shave, channel(luma));
            values.push(match psnr {
                Err(PixelError::TooSmall { .. }) => f64::NAN,
                other => other?,
            });
        }
        score::mean("psnr", values).ok_or_else(|| {
            let message = format!("shaving {shave} pixels leaves nothing of any validation image");
            WorkError::new(message, "validate on larger images")
        })
    }
}

/// The best validation so far, and how many have passed without a gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    /// PSNR in dB; minus infinity before the first.
    pub psnr: f64,
    /// Its iteration.
    pub iteration: u64,
    /// PSNR of the last validation that gained enough, for convergence.
    pub reference: f64,
    /// Validations since then.
    pub without_gain: u64,
}

impl Default for Best {
    fn default() -> Self {
        Self {
            psnr: f64::NEG_INFINITY,
            iteration: 0,
            reference: f64::NEG_INFINITY,
            without_gain: 0,
        }
    }
}

impl Best {
    /// Takes a validation in; whether it is the best so far.
    pub fn take(&mut self, psnr: f64, iteration: u64, until: Option<&Until>) -> bool {
        let min_gain = until.map_or(0.0, |Until::Converged { min_gain, .. }| *min_gain);
        // Where nothing can be gained any more, at the cap, the same value again is no gain.
        if psnr >= self.reference + min_gain && psnr > self.reference {
            self.reference = psnr;
            self.without_gain = 0;
        } else {
            self.without_gain += 1;
        }
        let better = psnr > self.psnr;
        if better {
            (self.psnr, self.iteration) = (psnr, iteration);
        }
        better
    }

    /// Whether the best validation after an iteration is better than this one, in dB.
    pub fn is_above(&self, psnr: f64) -> bool {
        self.psnr > psnr
    }

    /// Whether enough validations have passed without a gain.
    pub fn converged(&self, until: Option<&Until>) -> bool {
        until.is_some_and(|Until::Converged { patience, .. }| {
            self.without_gain >= u64::from(*patience)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convergence_is_patience_without_a_gain_of_min_gain() {
        let until = Until::Converged {
            patience: 2,
            min_gain: 0.1,
            at_most: 100,
        };
        let mut best = Best::default();
        assert!(best.take(30.0, 10, Some(&until)));
        assert!(
            best.take(30.05, 20, Some(&until)),
            "better, though not by enough to count"
        );
        assert!(!best.converged(Some(&until)));
        assert!(
            best.take(30.2, 30, Some(&until)),
            "0.2 above the reference counts"
        );
        assert_eq!(best.without_gain, 0);
        assert!(!best.take(30.1, 40, Some(&until)));
        assert!(!best.take(30.15, 50, Some(&until)));
        assert!(best.converged(Some(&until)));
        assert_eq!((best.psnr, best.iteration), (30.2, 30));
    }

    #[test]
    fn at_the_cap_the_first_stays_the_best_and_it_converges() {
        let until = Until::Converged {
            patience: 2,
            min_gain: 0.0,
            at_most: 100,
        };
        let mut best = Best::default();
        assert!(best.take(score::CAP, 10, Some(&until)));
        assert!(!best.take(score::CAP, 20, Some(&until)));
        assert!(!best.take(score::CAP, 30, Some(&until)));
        assert!(best.converged(Some(&until)));
        assert_eq!(best.iteration, 10);
    }
}
