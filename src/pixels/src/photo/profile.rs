//! ICC profiles: whether one may go with RGB samples, and grey samples by their own profile as sRGB.
//! Unaware of files.

use moxcms::{ColorProfile, Layout, TransformOptions};

use crate::image::Rgb8;

/// Where a profile names what its samples are, and its signature (ICC.1:2022, 7.2).
const SPACE: std::ops::Range<usize> = 16..20;
const SIGNATURE: std::ops::Range<usize> = 36..40;

/// Whether this is a profile, and one of RGB samples.
pub(super) fn is_rgb(profile: &[u8]) -> bool {
    is_of(profile, b"RGB ")
}

fn is_of(profile: &[u8], space: &[u8]) -> bool {
    profile.get(SPACE) == Some(space) && profile.get(SIGNATURE) == Some(b"acsp")
}

/// Makes a grey picture (three equal channels) whose levels mean what `profile` says one of sRGB. False, and nothing is
/// changed, where that is no profile of grey.
pub(super) fn grey_to_srgb(profile: &[u8], image: &mut Rgb8) -> bool {
    let Some(levels) = levels(profile) else {
        return false;
    };
    for pixel in image.data.chunks_exact_mut(3) {
        let level = usize::from(pixel[0]) * 3;
        pixel.copy_from_slice(&levels[level..level + 3]);
    }
    true
}

/// What the 256 levels of grey are in sRGB, 256 × 3.
fn levels(profile: &[u8]) -> Option<[u8; 768]> {
    if !is_of(profile, b"GRAY") {
        return None;
    }
    let grey = ColorProfile::new_from_slice(profile).ok()?;
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = grey.create_transform_8bit(Layout::Gray, &srgb, Layout::Rgb, options);
    let every: [u8; 256] = std::array::from_fn(|level| level as u8);
    let mut out = [0; 768];
    transform.ok()?.transform(&every, &mut out).ok()?;
    Some(out)
}
