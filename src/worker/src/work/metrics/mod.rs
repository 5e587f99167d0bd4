//! The metrics: one file each measures what its line in `spec::metrics` names.
//! Unaware of files and of averaging.
//!
//! To add one: its file here, and its line in [`value`].

mod compared;
mod psnr;
mod ssim;

use pixels::PixelError;
use spec::metrics::Metric;

pub(super) use compared::Compared;

impl Compared<'_> {
    /// The value of each metric; NaN where the image is too small for it.
    pub fn values(&self) -> Result<Vec<f64>, PixelError> {
        let value = |metric: &Metric| match value(*metric, self) {
            Err(PixelError::TooSmall { .. }) => Ok(f64::NAN),
            other => other,
        };
        // Both in one walk over the images.
        if let [Metric::Psnr, Metric::Ssim] = self.metrics {
            let (psnr, ssim) =
                pixels::measured(self.restored, self.reference, self.shave, self.channel)?;
            return Ok(vec![psnr, ssim]);
        }
        self.metrics.iter().map(value).collect()
    }
}

fn value(metric: Metric, of: &Compared<'_>) -> Result<f64, PixelError> {
    match metric {
        Metric::Psnr => psnr::value(of),
        Metric::Ssim => ssim::value(of),
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Channel, Rgb8};

    use super::*;

    #[test]
    fn together_and_apart_are_the_same() {
        let image = |n: usize| {
            let data = (0..20 * 14 * 3).map(|i| (i * n % 251) as u8).collect();
            Rgb8::new(20, 14, data).unwrap()
        };
        let (restored, reference) = (image(7), image(11));
        let values = |shave, metrics: &[Metric]| {
            let compared = Compared {
                restored: &restored,
                reference: &reference,
                shave,
                channel: Channel::YUnrounded,
                metrics,
            };
            compared
                .values()
                .unwrap()
                .iter()
                .map(|v| v.to_bits())
                .collect::<Vec<_>>()
        };
        // Of the second, too little is left for SSIM's window, and of the third nothing.
        for shave in [1, 2, 7] {
            let apart = [
                values(shave, &[Metric::Psnr]),
                values(shave, &[Metric::Ssim]),
            ]
            .concat();
            assert_eq!(values(shave, Metric::USUAL), apart, "{shave}");
        }
    }
}
