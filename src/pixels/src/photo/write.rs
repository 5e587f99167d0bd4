//! Writes a photograph as PNG, JPEG, WebP or TIFF, with what it carries as far as the format has room for it.
//! Unaware of how it came about.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mozjpeg::{ColorSpace, Compress, Marker};

use super::{Photo, carried};
use crate::error::{PixelError, Result};
use crate::image::check_length;

/// The format of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Without losses.
    Png,
    /// With losses, of this quality (1 to 100); colours at full resolution, no transparency.
    Jpeg(u8),
    /// Without losses.
    Webp,
    /// Without losses, not compressed; no Exif.
    Tiff,
}

impl Form {
    /// The ending of a file's name.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg(_) => "jpg",
            Self::Webp => "webp",
            Self::Tiff => "tif",
        }
    }

    /// The most pixels that a side may have.
    const fn longest(self) -> usize {
        match self {
            Self::Webp => 1 << 14,
            Self::Jpeg(_) => 65_500,
            Self::Png | Self::Tiff => u32::MAX as usize,
        }
    }

    /// Whether a picture of this size has room in the format; the most pixels of a side where it has not.
    pub const fn fits(self, (width, height): (usize, usize)) -> std::result::Result<(), usize> {
        let longest = self.longest();
        if width <= longest && height <= longest {
            Ok(())
        } else {
            Err(longest)
        }
    }
}

/// Writes `photo` to `path`. Equal photographs give equal bytes. JPEG drops transparency, which callers ask about before.
/// Errors: [`PixelError::Write`], [`PixelError::Buffer`].
pub fn write_photo(path: &Path, photo: &Photo, form: Form) -> Result<()> {
    let image = &photo.image;
    check_length(image.size(), image.data.len())?;
    if let Some(alpha) = &photo.alpha
        && alpha.len() != image.width * image.height
    {
        return Err(PixelError::Buffer {
            size: image.size(),
            expected: image.width * image.height,
            found: alpha.len(),
        });
    }
    let written = File::create(path).and_then(|file| match form {
        Form::Jpeg(quality) => jpeg(photo, quality, file),
        _ => encode(photo, form, file),
    });
    written.map_err(PixelError::write(path))
}

/// By the encoders of the crate `image`.
fn encode(photo: &Photo, form: Form, file: File) -> io::Result<()> {
    let image = &photo.image;
    let joined;
    let (data, color) = match &photo.alpha {
        None => (&image.data, ExtendedColorType::Rgb8),
        Some(alpha) => {
            let pixels = image.data.chunks_exact(3).zip(alpha);
            joined = pixels.flat_map(|(p, a)| [p[0], p[1], p[2], *a]).collect();
            (&joined, ExtendedColorType::Rgba8)
        }
    };
    let mut out = BufWriter::new(file);
    let (width, height) = (image.width as u32, image.height as u32);
    let written = match form {
        Form::Webp => {
            let encoder = carrying(WebPEncoder::new_lossless(&mut out), photo)?;
            encoder.write_image(data, width, height, color)
        }
        Form::Tiff => {
            let mut encoder = TiffEncoder::new(&mut out);
            if let Some(profile) = &photo.profile {
                encoder
                    .set_icc_profile(profile.clone())
                    .map_err(io::Error::other)?;
            }
            encoder.write_image(data, width, height, color)
        }
        Form::Png | Form::Jpeg(_) => {
            let (level, filter) = (CompressionType::Default, FilterType::Adaptive);
            let encoder = PngEncoder::new_with_quality(&mut out, level, filter);
            carrying(encoder, photo)?.write_image(data, width, height, color)
        }
    };
    written.map_err(|error| match error {
        image::ImageError::IoError(error) => error,
        other => io::Error::other(other),
    })?;
    out.flush()
}

/// The encoder with what the photograph carries.
fn carrying<E: ImageEncoder>(mut encoder: E, photo: &Photo) -> io::Result<E> {
    if let Some(profile) = &photo.profile {
        encoder
            .set_icc_profile(profile.clone())
            .map_err(io::Error::other)?;
    }
    if let Some(exif) = &photo.exif {
        encoder
            .set_exif_metadata(exif.clone())
            .map_err(io::Error::other)?;
    }
    Ok(encoder)
}

/// The most bytes of a JPEG segment's body.
const SEGMENT: usize = 65_533;

fn jpeg(photo: &Photo, quality: u8, file: File) -> io::Result<()> {
    let image = &photo.image;
    let write = || -> io::Result<()> {
        let mut jpeg = Compress::new(ColorSpace::JCS_RGB);
        jpeg.set_size(image.width, image.height);
        jpeg.set_quality(f32::from(quality));
        jpeg.set_chroma_sampling_pixel_sizes((1, 1), (1, 1));
        let mut jpeg = jpeg.start_compress(BufWriter::new(file))?;
        if let Some(exif) = &photo.exif {
            let body = [carried::EXIF, exif].concat();
            // A larger block has no room in the format: its thumbnail is what makes it large.
            if body.len() <= SEGMENT {
                jpeg.write_marker(Marker::APP(1), &body);
            }
        }
        let profile = photo.profile.as_deref().unwrap_or_default();
        let parts = profile.chunks(SEGMENT - carried::ICC.len() - 2);
        if let Ok(all) = u8::try_from(parts.len()) {
            for (part, number) in parts.zip(1..=u8::MAX) {
                let body = [carried::ICC, &[number, all], part].concat();
                jpeg.write_marker(Marker::APP(2), &body);
            }
        }
        jpeg.write_scanlines(&image.data)?;
        jpeg.finish()?.flush()
    };
    // The library ends with a jump out of its depths, which here is an unwinding.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(io::Error::other("the JPEG encoder stopped")))
}
