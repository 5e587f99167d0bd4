//! PSNR, by `pixels`.
//! Unaware of other metrics.

use pixels::PixelError;

use super::compared::Compared;

/// dB, with a peak of 255; infinity where nothing differs.
pub(super) fn value(of: &Compared<'_>) -> Result<f64, PixelError> {
    pixels::psnr(of.restored, of.reference, of.shave, of.channel)
}
