//! What two images are compared in.
//! Unaware of how.

/// What is compared. The protocol moves the second decimal of a PSNR, so it belongs into every table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// BT.601 luma rounded to 8 bits: IMDN's test code (skimage's `rgb2ycbcr`, then PSNR and SSIM).
    YRounded,
    /// BT.601 luma in single precision: `BasicSR`'s `test_y_channel: true`, used by ART and CAT.
    YUnrounded,
    /// The three channels together: `BasicSR`'s default, used for denoising.
    Rgb,
}
