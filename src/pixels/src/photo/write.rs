//! Writes a photograph as PNG, JPEG, WebP or TIFF, with what it carries as far as the format has room for it.
//! Unaware of how it came about.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError};
use mozjpeg::{ColorSpace, Compress, Marker};

use super::{Photo, carried};
use crate::error::PixelError;
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

    /// What people call it.
    const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg(_) => "JPEG",
            Self::Webp => "WebP",
            Self::Tiff => "TIFF",
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
    pub const fn fits(self, (width, height): (usize, usize)) -> Result<(), usize> {
        let longest = self.longest();
        if width <= longest && height <= longest {
            Ok(())
        } else {
            Err(longest)
        }
    }
}

/// Writes `photo` to `path`. Equal photographs give equal bytes. JPEG drops transparency, which callers ask about before.
/// Errors: [`PixelError::Write`], [`PixelError::Encode`], [`PixelError::Buffer`].
pub fn write_photo(path: &Path, photo: &Photo, form: Form) -> Result<(), PixelError> {
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
    let written = match form {
        Form::Jpeg(quality) => jpeg(photo, quality)
            .map_err(Failure::Refused)
            .and_then(|bytes| Ok(std::fs::write(path, bytes)?)),
        _ => encode(photo, form, path),
    };
    written.map_err(|failure| match failure {
        Failure::Io(source) => PixelError::write(path)(source),
        Failure::Refused(reason) => PixelError::Encode {
            form: form.name(),
            size: image.size(),
            reason,
        },
    })
}

/// Why nothing was written: callers go on with other photographs after the one, and not after the other.
enum Failure {
    /// The system does not take the bytes.
    Io(io::Error),
    /// The encoder does not take the picture, or what it carries.
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ImageError> for Failure {
    fn from(refused: ImageError) -> Self {
        Self::Refused(refused.to_string())
    }
}

/// A file that remembers what the system said of it: encoders wrap it in errors of their own, as they do what they refuse.
struct Remembering {
    file: File,
    failed: Option<io::Error>,
}

impl Remembering {
    fn note<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        // What was interrupted is tried again, and is no failure if that works.
        if let Err(error) = &done
            && error.kind() != io::ErrorKind::Interrupted
        {
            let of_system = error.raw_os_error().map(io::Error::from_raw_os_error);
            self.failed = Some(of_system.unwrap_or_else(|| error.kind().into()));
        }
        done
    }
}

impl Write for Remembering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.file.write(bytes);
        self.note(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.file.flush();
        self.note(done)
    }
}

impl Seek for Remembering {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let done = self.file.seek(to);
        self.note(done)
    }
}

/// By the encoders of the crate `image`.
fn encode(photo: &Photo, form: Form, path: &Path) -> Result<(), Failure> {
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
    let file = File::create(path)?;
    let mut out = BufWriter::new(Remembering { file, failed: None });
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
                    .map_err(ImageError::Unsupported)?;
            }
            encoder.write_image(data, width, height, color)
        }
        Form::Png | Form::Jpeg(_) => {
            let (level, filter) = (CompressionType::Default, FilterType::Adaptive);
            let encoder = PngEncoder::new_with_quality(&mut out, level, filter);
            carrying(encoder, photo)?.write_image(data, width, height, color)
        }
    };
    let flushed = out.flush();
    if let Some(failed) = out.get_mut().failed.take() {
        return Err(Failure::Io(failed));
    }
    written?;
    Ok(flushed?)
}

/// The encoder with what the photograph carries.
fn carrying<E: ImageEncoder>(mut encoder: E, photo: &Photo) -> Result<E, ImageError> {
    if let Some(profile) = &photo.profile {
        encoder
            .set_icc_profile(profile.clone())
            .map_err(ImageError::Unsupported)?;
    }
    if let Some(exif) = &photo.exif {
        encoder
            .set_exif_metadata(exif.clone())
            .map_err(ImageError::Unsupported)?;
    }
    Ok(encoder)
}

/// The most bytes of a JPEG segment's body.
const SEGMENT: usize = 65_533;

/// The bytes of a JPEG file, or what the encoder says. It writes to memory: of a disk it would say only that it did not work.
fn jpeg(photo: &Photo, quality: u8) -> Result<Vec<u8>, String> {
    let image = &photo.image;
    let write = || -> io::Result<Vec<u8>> {
        let mut jpeg = Compress::new(ColorSpace::JCS_RGB);
        jpeg.set_size(image.width, image.height);
        jpeg.set_quality(f32::from(quality));
        jpeg.set_chroma_sampling_pixel_sizes((1, 1), (1, 1));
        let mut jpeg = jpeg.start_compress(Vec::new())?;
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
        jpeg.finish()
    };
    // The library ends with a jump out of its depths, which here is an unwinding with its words.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(write)) {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(words) => Err(words
            .downcast::<String>()
            .map_or_else(|_| "the encoder stopped".into(), |words| *words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_again_is_not_remembered_as_a_failure() {
        let mut out = Remembering {
            file: tempfile::tempfile().unwrap(),
            failed: None,
        };
        let interrupted = out.note::<()>(Err(io::ErrorKind::Interrupted.into()));
        assert!(interrupted.is_err() && out.failed.is_none());
        let full = out.note::<()>(Err(io::ErrorKind::StorageFull.into()));
        assert!(full.is_err() && out.failed.is_some());
    }
}
