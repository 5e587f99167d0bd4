//! Photographs as people keep them: the samples, and beside them transparency, colour profile and Exif, to be written
//! again with another picture.
//! Unaware of what is done to the samples in between, and of names.
//!
//! ```text
//!   file ─┬─ formats ── samples, upright ── 8-bit RGB, opacity ─┐
//!         └─ carried ── ICC profile, Exif without its turn ─────┴─ Photo ── write ── PNG, JPEG, WebP, TIFF
//!                          └─ grey ── profile: grey becomes sRGB, which needs none
//! ```

mod carried;
mod profile;
mod write;

use std::fmt;
use std::path::Path;

use image::DynamicImage;

use crate::error::Result;
use crate::image::Rgb8;
use crate::io::{Note, narrow, notes_of, read_file, to_rgb8};
use crate::{formats, resize};

pub use write::{Form, write_photo};

/// A photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// The samples, upright.
    pub image: Rgb8,
    /// Opacity of each pixel, height × width, where the file had any.
    pub alpha: Option<Vec<u8>>,
    /// What the colours of the samples mean, as an ICC profile of RGB; sRGB is to be assumed where there is none.
    pub profile: Option<Vec<u8>>,
    /// The Exif block, a TIFF structure. What it says of orientation is that the samples are upright.
    pub exif: Option<Vec<u8>>,
}

/// What reading a photograph changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Converted {
    /// As for any other image.
    As(Note),
    /// A grey picture with a profile of its own has been converted to sRGB.
    GreyProfile,
    /// A profile that cannot go with RGB samples was left out.
    NoProfile,
}

impl fmt::Display for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(note) => note.fmt(f),
            Self::GreyProfile => f.pad("grey by its colour profile, converted to sRGB"),
            Self::NoProfile => f.pad("its colour profile is damaged or not of RGB, and left out"),
        }
    }
}

/// Reads a photograph in the formats of [`crate::read_rgb8`], and what was converted.
/// Errors: those of [`crate::read_rgb8`].
pub fn read_photo(path: &Path) -> Result<(Photo, Vec<Converted>)> {
    let bytes = read_file(&files::read, path)?;
    let decoded = formats::decode(&bytes, path)?;
    let is_grey = !decoded.image.color().has_color();
    let kept = |note: &Note| !matches!(note, Note::Alpha | Note::Turned);
    let notes = notes_of(&decoded).into_iter().filter(kept);
    let mut notes: Vec<Converted> = notes.map(Converted::As).collect();
    let alpha = opacity(&decoded.image);
    let mut image = to_rgb8(decoded.image);
    let profile = match carried::profile(&bytes) {
        None => None,
        Some(profile) if profile::is_rgb(&profile) => Some(profile),
        Some(profile) => {
            let done = is_grey && profile::grey_to_srgb(&profile, &mut image);
            notes.push(if done {
                Converted::GreyProfile
            } else {
                Converted::NoProfile
            });
            None
        }
    };
    let exif = carried::exif(&bytes);
    let photo = Photo {
        image,
        alpha,
        profile,
        exif,
    };
    Ok((photo, notes))
}

/// The opacity of each pixel in 8 bits.
fn opacity(image: &DynamicImage) -> Option<Vec<u8>> {
    let every = |samples: &[u8], channels: usize| -> Vec<u8> {
        samples
            .chunks_exact(channels)
            .map(|p| p[channels - 1])
            .collect()
    };
    let wide = |samples: &[u16], channels: usize| -> Vec<u8> {
        let last = samples.chunks_exact(channels).map(|p| p[channels - 1]);
        last.map(narrow).collect()
    };
    match image {
        DynamicImage::ImageLumaA8(image) => Some(every(image.as_raw(), 2)),
        DynamicImage::ImageRgba8(image) => Some(every(image.as_raw(), 4)),
        DynamicImage::ImageLumaA16(image) => Some(wide(image.as_raw(), 2)),
        DynamicImage::ImageRgba16(image) => Some(wide(image.as_raw(), 4)),
        _ => None,
    }
}

/// Opacity of an image of `size` (width, height) made larger by a whole number, as MATLAB's bicubic makes pictures
/// larger. Errors: [`crate::PixelError::Buffer`] where it is of another size.
pub fn larger_alpha(alpha: Vec<u8>, size: (usize, usize), scale: usize) -> Result<Vec<u8>> {
    if scale == 1 {
        return Ok(alpha);
    }
    let grey = alpha.into_iter().flat_map(|v| [v; 3]).collect();
    let grey = Rgb8::new(size.0, size.1, grey)?;
    let large = resize::matlab_bicubic_u8_to(&grey, size.0 * scale, size.1 * scale);
    Ok(large.data.into_iter().step_by(3).collect())
}

#[cfg(test)]
mod tests;
