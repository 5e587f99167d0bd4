//! Decodes PNG, BMP, TIFF and WebP to whatever samples they have, and hands JPEG to its own module.
//! Unaware of what samples become afterwards.
//!
//! ```text
//!   bytes ─> which format (content, never the name) ─> its header: size, pages ─> bounds ─> samples ─> turned
//! ```

use std::io::Cursor;
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits};

use crate::error::{PixelError, Result, Size};
use crate::{jpeg, limits, png, tiff};

/// An image as its file has it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts of a file that do not hang together"
)]
pub(crate) struct Decoded {
    /// The samples, upright.
    pub image: DynamicImage,
    /// Whether an orientation tag turned it.
    pub turned: bool,
    /// What that tag says.
    pub orientation: Orientation,
    /// Whether the file holds further pages or frames.
    pub first_of_many: bool,
    /// Whether samples are indices of colours.
    pub palette: bool,
    /// Whether coding changed samples: JPEG, and WebP unless it says otherwise.
    pub lossy: bool,
}

/// Decodes the bytes of a file; `path` is for messages only. Errors: [`PixelError::NotAnImage`],
/// [`PixelError::TooLarge`], [`PixelError::TooMuchMemory`], [`PixelError::Unsupported`], [`PixelError::Damaged`].
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Decoded> {
    let broken = |error: ImageError| failed(&error, path);
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            let file = png::read(bytes).map_err(|reason| damaged(path, reason))?;
            limits::check_pixels(path, file.size)?;
            let decoder = PngDecoder::with_limits(Cursor::new(file.bytes), bounds());
            let mut decoded = finish(decoder.map_err(broken)?, path)?;
            decoded.palette = file.palette;
            decoded.first_of_many = file.animated;
            Ok(decoded)
        }
        Ok(ImageFormat::Bmp) => finish(BmpDecoder::new(Cursor::new(bytes)).map_err(broken)?, path),
        Ok(ImageFormat::Tiff) => {
            let file = tiff::read(bytes).map_err(|reason| damaged(path, reason))?;
            if let Some(reason) = file.unsupported() {
                return Err(unsupported(path, reason));
            }
            let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(broken)?;
            let mut decoded = finish(decoder, path)?;
            decoded.first_of_many = file.first_of_many;
            Ok(decoded)
        }
        Ok(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(broken)?;
            let first_of_many = decoder.has_animation();
            let mut decoded = finish(decoder, path)?;
            decoded.first_of_many = first_of_many;
            decoded.lossy = is_lossy_webp(bytes);
            Ok(decoded)
        }
        Ok(ImageFormat::Jpeg) => {
            let (image, orientation) = jpeg::decode(bytes, path)?;
            let mut decoded = turned(image, orientation);
            decoded.lossy = true;
            Ok(decoded)
        }
        other => Err(PixelError::NotAnImage {
            path: path.into(),
            found: other
                .ok()
                .map(|format| format!("it seems to be {format:?}")),
        }),
    }
}

/// Width and height as a file's header has them.
pub(crate) fn size(bytes: &[u8], path: &Path) -> Result<Size> {
    let broken = |error: ImageError| failed(&error, path);
    let of = |(width, height): (u32, u32)| (width as usize, height as usize);
    let cursor = Cursor::new(bytes);
    let size = match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            png::read(bytes)
                .map_err(|reason| damaged(path, reason))?
                .size
        }
        Ok(ImageFormat::Bmp) => of(BmpDecoder::new(cursor).map_err(broken)?.dimensions()),
        Ok(ImageFormat::Tiff) => of(TiffDecoder::new(cursor).map_err(broken)?.dimensions()),
        Ok(ImageFormat::WebP) => of(WebPDecoder::new(cursor).map_err(broken)?.dimensions()),
        Ok(ImageFormat::Jpeg) => jpeg::size(bytes, path)?,
        other => {
            return Err(PixelError::NotAnImage {
                path: path.into(),
                found: other
                    .ok()
                    .map(|format| format!("it seems to be {format:?}")),
            });
        }
    };
    limits::check_pixels(path, size)?;
    Ok(size)
}

/// The palette indices of a PNG file as grey values. The errors are those of [`decode`].
pub(crate) fn decode_indices(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    let file = png::read(bytes).map_err(|reason| damaged(path, reason))?;
    limits::check_pixels(path, file.size)?;
    let decoder = PngDecoder::with_limits(Cursor::new(file.with_indices()), bounds());
    let decoder = decoder.map_err(|error| failed(&error, path))?;
    finish(decoder, path).map(|decoded| decoded.image)
}

/// Whether the first picture of a WebP file was coded with losses: its chunk is then `VP8 `, else `VP8L`. What stands in
/// other chunks (profiles, Exif, XMP) may look like either.
fn is_lossy_webp(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((&[c0, c1, c2, c3, l0, l1, l2, l3], body)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let skipped = match &[c0, c1, c2, c3] {
            b"VP8 " => return true,
            b"VP8L" => return false,
            // A frame: its place and time, then its own chunks.
            b"ANMF" => 16,
            _ => length.saturating_add(length % 2),
        };
        rest = body.get(skipped..).unwrap_or_default();
    }
    false
}

/// What decoders may allocate besides the samples.
fn bounds() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(limits::memory_budget());
    limits
}

/// Checks the size before anything is allocated for it, then decodes and turns. A tag that cannot be read is none.
fn finish(mut decoder: impl ImageDecoder, path: &Path) -> Result<Decoded> {
    let (width, height) = decoder.dimensions();
    let size = (width as usize, height as usize);
    limits::check_pixels(path, size)?;
    // The samples, their copy in 8-bit RGB, and as much again for turning.
    let bytes = 2 * u64::from(decoder.color_type().bytes_per_pixel()) + 3;
    limits::check_memory(&format!("decoding `{}`", files::Name(path)), size, bytes)?;
    decoder
        .set_limits(bounds())
        .map_err(|error| failed(&error, path))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| failed(&error, path))?;
    if matches!(
        image,
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)
    ) {
        let reason = "its samples are floating-point numbers, whose range nothing says";
        return Err(unsupported(path, reason.into()));
    }
    Ok(turned(image, orientation))
}

fn turned(mut image: DynamicImage, orientation: Orientation) -> Decoded {
    image.apply_orientation(orientation);
    Decoded {
        image,
        turned: orientation != Orientation::NoTransforms,
        orientation,
        first_of_many: false,
        palette: false,
        lossy: false,
    }
}

fn failed(error: &ImageError, path: &Path) -> PixelError {
    match error {
        ImageError::Unsupported(error) => unsupported(path, error.to_string()),
        error => damaged(path, error.to_string()),
    }
}

fn unsupported(path: &Path, reason: String) -> PixelError {
    PixelError::Unsupported {
        path: path.into(),
        reason,
    }
}

fn damaged(path: &Path, reason: String) -> PixelError {
    PixelError::Damaged {
        path: path.into(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
        for (name, body) in chunks {
            bytes.extend(*name);
            bytes.extend((body.len() as u32).to_le_bytes());
            bytes.extend(*body);
            bytes.extend(vec![0; body.len() % 2]);
        }
        bytes
    }

    #[test]
    fn the_losses_of_a_webp_file_are_told_by_the_chunk_of_its_picture() {
        let long = vec![1; 1 << 17];
        let odd: (&[u8; 4], &[u8]) = (b"ICCP", b"VP8 VP8L!");
        assert!(is_lossy_webp(&webp(&[odd, (b"VP8 ", b"")])));
        assert!(!is_lossy_webp(&webp(&[odd, (b"VP8L", b"VP8 ")])));
        assert!(is_lossy_webp(&webp(&[(b"ICCP", &long), (b"VP8 ", b"")])));
        let frame = [
            &[0; 16][..],
            &webp(&[(b"ALPH", b"a"), (b"VP8 ", b"")])[12..],
        ]
        .concat();
        assert!(is_lossy_webp(&webp(&[
            (b"ANIM", b"6bytes"),
            (b"ANMF", &frame)
        ])));
        for bytes in [&b""[..], b"RIFF", &webp(&[])] {
            assert!(!is_lossy_webp(bytes));
        }
        let mut endless = webp(&[(b"XMP ", b"")]);
        endless[16..20].fill(0xff);
        assert!(!is_lossy_webp(&endless));
    }
}
