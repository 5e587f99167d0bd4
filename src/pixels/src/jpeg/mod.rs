//! Reads JPEG files to the very samples that libjpeg-turbo (Pillow, OpenCV) gives, and refuses what it would fill in.
//! Unaware of other formats and of what becomes of the samples.
//!
//! ```text
//!   bytes ─> markers: size, components, scans, Exif ──> refused: too large, 12 bits, CMYK, scans that are missing
//!               └─> turbo: the library, whose warnings that samples were made up are errors ──> samples
//! ```
//!
//! docs/jpeg.md compares decoders.

mod markers;
mod turbo;

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

use crate::error::{PixelError, Result};
use crate::limits;
use markers::Header;

/// Samples and the turn that the Exif segment asks for. Errors: [`PixelError::Damaged`], [`PixelError::Unsupported`],
/// [`PixelError::TooLarge`], [`PixelError::TooMuchMemory`].
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<(DynamicImage, Orientation)> {
    let damaged = |reason: &str| PixelError::Damaged {
        path: path.into(),
        reason: reason.into(),
    };
    let header = markers::read(bytes).map_err(damaged)?;
    let size = (header.width, header.height);
    limits::check_pixels(path, size)?;
    if let Some(reason) = header.unsupported() {
        return Err(PixelError::Unsupported {
            path: path.into(),
            reason,
        });
    }
    header.check_scans().map_err(damaged)?;
    let what = format!("decoding `{}`", files::Name(path));
    limits::check_memory(&what, size, bytes_a_pixel(&header))?;
    let samples = turbo::samples(bytes, header.components == 1, size).map_err(|e| damaged(&e))?;
    let (width, height) = (size.0 as u32, size.1 as u32);
    let image = if header.components == 1 {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    };
    let image = image.ok_or_else(|| damaged("rows are missing"))?;
    let orientation = header.exif.and_then(Orientation::from_exif_chunk);
    Ok((image, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Width and height. Errors: [`PixelError::Damaged`].
pub(crate) fn size(bytes: &[u8], path: &Path) -> Result<(usize, usize)> {
    let header = markers::read(bytes).map_err(|reason| PixelError::Damaged {
        path: path.into(),
        reason: reason.into(),
    })?;
    Ok((header.width, header.height))
}

/// Samples, and with several scans all coefficients in 16 bits; a turn needs both pictures.
fn bytes_a_pixel(header: &Header) -> u64 {
    let components = header.components as u64;
    let coefficients = if header.scans > 1 { 2 * components } else { 0 };
    coefficients + 3 * components
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<DynamicImage> {
        decode(bytes, Path::new("a.jpg")).map(|(image, _)| image)
    }

    /// A picture with texture, by the library's own encoder.
    fn encoded(progressive: bool) -> Vec<u8> {
        let data: Vec<u8> = (0..64 * 48 * 3_u32)
            .map(|i| (i * i / 7 + i / 192 * 3) as u8)
            .collect();
        let mut jpeg = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
        jpeg.set_size(64, 48);
        jpeg.set_fastest_defaults();
        jpeg.set_quality(80.0);
        if progressive {
            jpeg.set_progressive_mode();
        }
        let mut jpeg = jpeg.start_compress(Vec::new()).unwrap();
        jpeg.write_scanlines(&data).unwrap();
        jpeg.finish().unwrap()
    }

    #[test]
    fn a_file_cut_anywhere_is_damaged_even_with_an_end_marker() {
        for progressive in [false, true] {
            let whole = encoded(progressive);
            let image = decoded(&whole).unwrap();
            assert_eq!((image.width(), image.height()), (64, 48));
            let step = 1 + whole.len() / 300;
            for at in (2..whole.len() - 2).step_by(step) {
                assert!(decoded(&whole[..at]).is_err(), "{at} of {}", whole.len());
                let ended = [&whole[..at], b"\xff\xd9"].concat();
                if let Ok(cut) = decoded(&ended) {
                    // The last bits of the data may be padding.
                    assert!(
                        at + 6 > whole.len() && cut == image,
                        "{at} of {}",
                        whole.len()
                    );
                }
            }
        }
    }

    #[test]
    fn forms_that_are_not_read_are_named() {
        let whole = encoded(false);
        let frame = whole.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        let patched = |at: usize, value: u8| {
            let mut bytes = whole.clone();
            bytes[frame + at] = value;
            decoded(&bytes).unwrap_err().to_string()
        };
        assert!(patched(4, 12).contains("12 bits"));
        assert!(patched(1, 0xc3).contains("lossless"));
        assert!(
            patched(9, 4).contains("damaged"),
            "a length that does not fit"
        );
        assert!(patched(5, 0xff).contains("is damaged"));
    }

    #[test]
    fn a_huge_claim_is_refused_at_once() {
        let mut bytes = encoded(false);
        let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x2d, 0x40, 0x2d, 0x40]);
        let error = decoded(&bytes).unwrap_err();
        assert!(matches!(error, PixelError::TooLarge { .. }), "{error}");
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x40]);
        let error = decoded(&bytes).unwrap_err();
        assert!(matches!(error, PixelError::Damaged { .. }), "{error}");
    }
}
