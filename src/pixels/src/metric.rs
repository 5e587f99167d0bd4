//! PSNR and SSIM of a restored image against its reference, in the field's three protocols.
//! Unaware of where the images come from and of averaging over data sets.

use crate::channel::Channel;
use crate::compare::{Totals, totals};
use crate::error::{PixelError, Result};
use crate::image::Rgb8;
use crate::luma::views;
use crate::psnr::decibels;
use crate::tile::WINDOW;

/// Peak signal-to-noise ratio in dB with a peak of 255, after `shave` pixels were cut off each side; infinity
/// for identical images. Errors: [`PixelError::SizesDiffer`], [`PixelError::TooSmall`].
pub fn psnr(restored: &Rgb8, reference: &Rgb8, shave: usize, channel: Channel) -> Result<f64> {
    check(restored, reference, shave, 1, "psnr")?;
    Ok(compare(restored, reference, shave, channel, false).0)
}

/// Structural similarity, -1 to 1: 11×11 Gaussian window with σ 1.5, population covariance, K = (0.01, 0.03),
/// the mean over all positions where the window fits; for RGB the mean of the three channels. After `shave`
/// pixels were cut off each side. Errors: [`PixelError::SizesDiffer`], [`PixelError::TooSmall`].
pub fn ssim(restored: &Rgb8, reference: &Rgb8, shave: usize, channel: Channel) -> Result<f64> {
    Ok(metrics(restored, reference, shave, channel)?.1)
}

/// [`psnr`] and [`ssim`] in one walk over both images. Errors: theirs.
pub fn metrics(
    restored: &Rgb8,
    reference: &Rgb8,
    shave: usize,
    channel: Channel,
) -> Result<(f64, f64)> {
    check(restored, reference, shave, WINDOW, "ssim")?;
    Ok(compare(restored, reference, shave, channel, true))
}

/// [`metrics`] with NaN for what is undefined on an image that is too small for it. Errors: [`PixelError::SizesDiffer`].
pub fn measured(
    restored: &Rgb8,
    reference: &Rgb8,
    shave: usize,
    channel: Channel,
) -> Result<(f64, f64)> {
    let undefined = |value: Result<f64>| match value {
        Err(PixelError::TooSmall { .. }) => Ok(f64::NAN),
        other => other,
    };
    match metrics(restored, reference, shave, channel) {
        Err(PixelError::TooSmall { .. }) => Ok((
            undefined(psnr(restored, reference, shave, channel))?,
            f64::NAN,
        )),
        other => other,
    }
}

/// Both metrics of images that were checked; SSIM is only meant `with_ssim`.
fn compare(
    restored: &Rgb8,
    reference: &Rgb8,
    shave: usize,
    channel: Channel,
    with_ssim: bool,
) -> (f64, f64) {
    let (a, b) = (
        views(restored, shave, channel),
        views(reference, shave, channel),
    );
    let Totals {
        squared_error,
        similarity,
    } = totals(&a, &b, with_ssim);
    let (width, height) = (restored.width - 2 * shave, restored.height - 2 * shave);
    let pixels = (a.len() * width * height) as f64;
    let positions =
        (a.len() * (width + 1).saturating_sub(WINDOW) * (height + 1).saturating_sub(WINDOW)) as f64;
    (decibels(squared_error / pixels), similarity / positions)
}

/// Whether both images have one size of which at least `need` pixels a side are left.
fn check(a: &Rgb8, b: &Rgb8, shave: usize, need: usize, metric: &'static str) -> Result<()> {
    crate::image::check_length(a.size(), a.data.len())?;
    crate::image::check_length(b.size(), b.data.len())?;
    if a.size() != b.size() {
        return Err(PixelError::SizesDiffer {
            restored: a.size(),
            reference: b.size(),
        });
    }
    if a.width.min(a.height) < shave.saturating_mul(2).saturating_add(need) {
        return Err(PixelError::TooSmall {
            size: a.size(),
            shave,
            need,
            metric,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Channel; 3] = [Channel::YRounded, Channel::YUnrounded, Channel::Rgb];

    fn noise(width: usize, height: usize, seed: u32) -> Rgb8 {
        let mut state = crate::noise::RandomState::new(seed);
        let data = (0..width * height * 3)
            .map(|_| (state.random_sample() * 256.0) as u8)
            .collect();
        Rgb8::new(width, height, data).unwrap()
    }

    #[test]
    fn identical_images_are_infinitely_good() {
        let image = noise(20, 13, 1);
        for channel in ALL {
            let (psnr, ssim) = metrics(&image, &image, 1, channel).unwrap();
            assert!(psnr.is_infinite() && psnr > 0.0);
            assert!((ssim - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_shift_of_one_level_has_a_known_psnr() {
        let image = Rgb8::new(12, 12, vec![100; 432]).unwrap();
        let shifted = Rgb8::new(12, 12, vec![101; 432]).unwrap();
        let value = psnr(&image, &shifted, 0, Channel::Rgb).unwrap();
        assert!((value - 20.0 * 255f64.log10()).abs() < 1e-12);
    }

    #[test]
    fn together_and_apart_are_the_same() {
        let (a, b) = (noise(61, 43, 1), noise(61, 43, 2));
        for channel in ALL {
            let apart = (
                psnr(&a, &b, 3, channel).unwrap(),
                ssim(&a, &b, 3, channel).unwrap(),
            );
            assert_eq!(metrics(&a, &b, 3, channel).unwrap(), apart);
        }
    }

    #[test]
    fn sizes_are_checked() {
        let (a, b) = (noise(20, 13, 1), noise(13, 20, 1));
        let differ = psnr(&a, &b, 0, Channel::Rgb).unwrap_err();
        assert!(matches!(differ, PixelError::SizesDiffer { .. }));
        assert!(differ.to_string().contains("20x13"));
        assert!(ssim(&a, &a, 1, Channel::Rgb).is_ok());
        assert!(matches!(
            ssim(&a, &a, 2, Channel::Rgb),
            Err(PixelError::TooSmall { .. })
        ));
        assert!(psnr(&a, &a, 6, Channel::Rgb).is_ok());
        assert!(psnr(&a, &a, 7, Channel::Rgb).is_err());
        assert!(psnr(&a, &a, usize::MAX, Channel::Rgb).is_err());
    }

    #[test]
    fn what_an_image_is_too_small_for_is_undefined() {
        let (a, b) = (noise(20, 13, 1), noise(20, 13, 2));
        let value = |shave| measured(&a, &b, shave, Channel::Rgb).unwrap();
        assert_eq!(value(1), metrics(&a, &b, 1, Channel::Rgb).unwrap());
        let (psnr, ssim) = value(2);
        assert!(psnr.is_finite() && ssim.is_nan());
        let (psnr, ssim) = value(7);
        assert!(psnr.is_nan() && ssim.is_nan());
        assert!(measured(&a, &noise(13, 20, 1), 7, Channel::Rgb).is_err());
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let (a, b) = (noise(301, 203, 1), noise(301, 203, 2));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| ALL.map(|channel| metrics(&a, &b, 4, channel).unwrap()))
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), with(5));
    }
}
