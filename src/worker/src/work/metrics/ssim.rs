//! SSIM, by `pixels`.
//! Unaware of other metrics.

use pixels::PixelError;

use super::compared::Compared;

/// −1 to 1; 1 where nothing differs.
pub(super) fn value(of: &Compared<'_>) -> Result<f64, PixelError> {
    pixels::ssim(of.restored, of.reference, of.shave, of.channel)
}
