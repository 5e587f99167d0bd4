//! What a file is as this program reads it, for a person who asks: an image, a mask, a list of masks, a folder of them.
//! Unaware of who asks and of how it is shown.

use std::collections::BTreeMap;
use std::path::Path;

use image::ImageFormat;

use crate::error::{PixelError, Result, Size};
use crate::formats::{self, Decoded};
use crate::io::{Note, notes_of, read_file};
use crate::mask_files::{MaskFolder, Source};
use crate::mask_image::{MaskRead, decode_mask_image};
use crate::mask_json::{all_masks, read_bytes};
use crate::{png, tiff};

/// What an image file holds, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its format.
    pub format: &'static str,
    /// Width and height as they are used, turned if a tag says so.
    pub size: Size,
    /// Channels of a pixel as they are stored; indices of a palette are one.
    pub channels: u8,
    /// Bits of a sample as they are stored.
    pub bits: u8,
    /// Whether samples are indices of colours.
    pub palette: bool,
    /// Whether coding changed samples.
    pub lossy: bool,
    /// The orientation tag of Exif: 1 is upright.
    pub orientation: u8,
    /// What says how colours are meant, and is ignored: `ICC profile`, `gamma`, `sRGB`.
    pub profile: Option<&'static str>,
    /// What reading it changes.
    pub notes: Vec<Note>,
}

/// A list of masks of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskFacts {
    /// The image's name; empty for a file by itself.
    pub title: String,
    /// How they are stored: `image files`, `JSON run lengths`, `image`.
    pub form: &'static str,
    /// Width and height, each as often as it is there.
    pub sizes: BTreeMap<Size, usize>,
    /// Pixels inside of each mask, in order.
    pub areas: Vec<u64>,
    /// How pixels inside are told, and for how many masks.
    pub readings: BTreeMap<&'static str, usize>,
    /// Why the first one that cannot be read is refused.
    pub refused: Option<String>,
}

/// Whether bytes open like an image of a format that is read, or of another that is known.
pub fn is_image(start: &[u8]) -> bool {
    image::guess_format(start).is_ok()
}

/// Looks at an image file. Errors: those of [`crate::read_rgb8`].
pub fn image_facts(path: &Path) -> Result<ImageFacts> {
    let bytes = read_file(&files::read, path)?;
    let decoded = formats::decode(&bytes, path)?;
    let color = decoded.image.color();
    let format = image::guess_format(&bytes).ok();
    let is_png = format == Some(ImageFormat::Png);
    let depth = 8 * color.bytes_per_pixel() / color.channel_count().max(1);
    Ok(ImageFacts {
        format: name(format),
        size: size(&decoded),
        channels: if decoded.palette {
            1
        } else {
            color.channel_count()
        },
        // A decoder widens samples of fewer bits; the header has what is stored.
        bits: if is_png {
            bytes.get(24).copied().unwrap_or(depth)
        } else {
            depth
        },
        palette: decoded.palette,
        lossy: decoded.lossy,
        orientation: decoded.orientation.to_exif(),
        profile: profile(format, &bytes),
        notes: notes_of(&decoded),
    })
}

fn size(decoded: &Decoded) -> Size {
    (
        decoded.image.width() as usize,
        decoded.image.height() as usize,
    )
}

fn name(format: Option<ImageFormat>) -> &'static str {
    match format {
        Some(ImageFormat::Png) => "PNG",
        Some(ImageFormat::Jpeg) => "JPEG",
        Some(ImageFormat::Bmp) => "BMP",
        Some(ImageFormat::Tiff) => "TIFF",
        Some(ImageFormat::WebP) => "WebP",
        _ => "unknown",
    }
}

fn profile(format: Option<ImageFormat>, bytes: &[u8]) -> Option<&'static str> {
    match format? {
        ImageFormat::Png => png::profile(bytes),
        ImageFormat::Jpeg => jpeg_profile(bytes),
        ImageFormat::WebP => webp_profile(bytes),
        ImageFormat::Tiff => tiff::read(bytes)
            .ok()
            .filter(|file| file.has_profile)
            .map(|_| ICC),
        _ => None,
    }
}

const ICC: &str = "ICC profile";

/// Segments up to the first scan.
fn jpeg_profile(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes.get(2..)?;
    while let Some((&[0xff, marker, high, low], body)) = rest.split_first_chunk::<4>() {
        if marker == 0xda {
            return None;
        }
        if marker == 0xe2 && body.starts_with(b"ICC_PROFILE\0") {
            return Some(ICC);
        }
        let length = usize::from(u16::from_be_bytes([high, low])).max(2);
        rest = body.get(length - 2..)?;
    }
    None
}

fn webp_profile(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes.get(12..)?;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        if head.starts_with(b"ICCP") {
            return Some(ICC);
        }
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        rest = body.get(length.checked_add(length % 2)?..)?;
    }
    None
}

/// How an image file would be read as a mask. What it is refused for is no error here.
pub fn mask_image_facts(path: &Path) -> Result<MaskFacts> {
    let mut facts = MaskFacts {
        form: "image",
        ..MaskFacts::default()
    };
    facts.image_file(path)?;
    Ok(facts)
}

/// The masks of a JSON file, whatever their size. Errors: [`PixelError::Read`], [`PixelError::MaskFile`].
pub fn mask_json_facts(path: &Path) -> Result<MaskFacts> {
    let mut facts = MaskFacts {
        form: "JSON run lengths",
        ..MaskFacts::default()
    };
    for mask in all_masks(&read_bytes(&files::read, path)?, path)? {
        *facts
            .sizes
            .entry((mask.width(), mask.height()))
            .or_default() += 1;
        facts.areas.push(mask.area());
    }
    Ok(facts)
}

impl MaskFacts {
    fn image_file(&mut self, path: &Path) -> Result<()> {
        match decode_mask_image(&read_file(&files::read, path)?, path, MaskRead::Auto) {
            Ok((mask, reading)) => {
                *self.sizes.entry((mask.width(), mask.height())).or_default() += 1;
                *self.readings.entry(reading.name()).or_default() += 1;
                self.areas.push(mask.area());
                Ok(())
            }
            Err(error @ PixelError::MaskReading { .. }) => {
                self.refused.get_or_insert_with(|| error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl MaskFolder {
    /// What the folder holds for each image, in the order of their names; what cannot be read says why.
    pub fn facts(&self) -> Vec<MaskFacts> {
        let all = self.images.iter();
        all.map(|(title, sources)| {
            let mut facts = match sources.as_slice() {
                [Source::Json(file)] => {
                    mask_json_facts(&file.path).unwrap_or_else(|error| refused(&error))
                }
                [Source::Folder(_, files)] => {
                    let mut facts = MaskFacts {
                        form: "image files",
                        ..MaskFacts::default()
                    };
                    for file in files {
                        if let Err(error) = facts.image_file(&file.path) {
                            facts.refused.get_or_insert_with(|| error.to_string());
                        }
                    }
                    facts
                }
                _ => MaskFacts {
                    refused: Some("its masks are there twice, as a folder and as a file".into()),
                    ..MaskFacts::default()
                },
            };
            facts.title.clone_from(title);
            facts
        })
        .collect()
    }
}

fn refused(error: &PixelError) -> MaskFacts {
    MaskFacts {
        form: "JSON run lengths",
        refused: Some(error.to_string()),
        ..MaskFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_seen_where_they_are_and_never_unpacked() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xe2\0\x10ICC_PROFILE\0\x01\x01\xff\xda";
        assert_eq!(jpeg_profile(jpeg), Some(ICC));
        assert_eq!(
            jpeg_profile(b"\xff\xd8\xff\xda\0\x02\xff\xe2\0\x0eICC_PROFILE\0"),
            None
        );
        assert_eq!(
            webp_profile(b"RIFF\0\0\0\0WEBPVP8X\x01\0\0\0a\0ICCP\0\0\0\0"),
            Some(ICC)
        );
        for bytes in [
            &b""[..],
            b"\xff\xd8\xff",
            b"RIFF\0\0\0\0WEBPVP8X\xff\xff\xff\xff",
        ] {
            assert_eq!((jpeg_profile(bytes), webp_profile(bytes)), (None, None));
        }
    }
}
