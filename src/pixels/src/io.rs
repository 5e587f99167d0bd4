//! Reads PNG, JPEG and BMP files into 8-bit RGB, saying what was converted, and writes PNG.
//! Unaware of data sets: which files are images of one is `folder`'s matter.

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageFormat};

use crate::error::{PixelError, Result};
use crate::image::Rgb8;

/// The largest accepted image, in pixels (2^27): a damaged header must not allocate tens of gigabytes.
pub const MAX_PIXELS: usize = 1 << 27;

/// A conversion that reading made, so that a run can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// One grey channel was copied to R, G and B.
    Grey,
    /// An alpha channel, or a transparent colour, was dropped (not composited).
    Alpha,
    /// 16-bit samples were scaled to 8 bits: `round(v * 255 / 65535)`.
    SixteenBit,
    /// Palette indices were looked up.
    Palette,
    /// The image was turned or mirrored as its orientation tag says.
    Turned,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Grey => "grey, copied to three channels",
            Self::Alpha => "transparency dropped",
            Self::SixteenBit => "16 bits a sample, scaled to 8",
            Self::Palette => "palette looked up",
            Self::Turned => "turned as its orientation tag says",
        })
    }
}

/// An image and what reading it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The image.
    pub image: Rgb8,
    /// The conversions, in the order of [`Note`], each at most once; mostly empty.
    pub notes: Vec<Note>,
}

/// Reads a PNG, JPEG or BMP file, told apart by content. An orientation tag is applied, as `cv2.imread` does in the codes
/// of the field; colour profiles and gamma are ignored, as there.
/// Errors: [`PixelError::Read`], and those of [`decode_rgb8`].
pub fn read_rgb8(path: &Path) -> Result<Loaded> {
    let bytes = std::fs::read(path).map_err(PixelError::read(path))?;
    decode_rgb8(&bytes, path)
}

/// Decodes the bytes of a PNG, JPEG or BMP file; `path` is for messages only.
/// Errors: [`PixelError::NotAnImage`], [`PixelError::TooLarge`], [`PixelError::Damaged`].
pub fn decode_rgb8(bytes: &[u8], path: &Path) -> Result<Loaded> {
    let (decoded, turned) = decode_turned(bytes, path)?;
    let mut notes = notes_of(&decoded);
    if is_palette_png(bytes) {
        notes.push(Note::Palette);
    }
    if turned {
        notes.push(Note::Turned);
    }
    Ok(Loaded {
        image: to_rgb8(decoded),
        notes,
    })
}

/// Decodes to whatever samples the file has. The errors are those of [`decode_rgb8`].
pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    decode_turned(bytes, path).map(|(image, _)| image)
}

/// The same, and whether an orientation tag turned it.
fn decode_turned(bytes: &[u8], path: &Path) -> Result<(DynamicImage, bool)> {
    let damaged = |reason: &dyn fmt::Display| PixelError::Damaged {
        path: path.into(),
        reason: reason.to_string(),
    };
    let broken = |error: image::ImageError| damaged(&error);
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => finish(PngDecoder::new(Cursor::new(bytes)).map_err(broken)?, path),
        Ok(ImageFormat::Bmp) => finish(BmpDecoder::new(Cursor::new(bytes)).map_err(broken)?, path),
        Ok(ImageFormat::Jpeg) if jpeg_is_complete(bytes) => {
            finish(JpegDecoder::new(Cursor::new(bytes)).map_err(broken)?, path)
        }
        Ok(ImageFormat::Jpeg) => Err(damaged(&"the JPEG data end before the image does")),
        _ => Err(PixelError::NotAnImage { path: path.into() }),
    }
}

/// Checks the size before anything is allocated for it, then decodes and turns. A tag that cannot be read is none.
fn finish(mut decoder: impl ImageDecoder, path: &Path) -> Result<(DynamicImage, bool)> {
    let (width, height) = decoder.dimensions();
    let size = (width as usize, height as usize);
    if size.0.saturating_mul(size.1) > MAX_PIXELS {
        return Err(PixelError::TooLarge {
            path: path.into(),
            size,
            limit: MAX_PIXELS,
        });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| PixelError::Damaged {
        path: path.into(),
        reason: error.to_string(),
    })?;
    image.apply_orientation(orientation);
    Ok((image, orientation != Orientation::NoTransforms))
}

/// What [`to_rgb8`] will do to an image.
fn notes_of(image: &DynamicImage) -> Vec<Note> {
    let color = image.color();
    let wide = color.bytes_per_pixel() / color.channel_count() > 1;
    [
        (!color.has_color(), Note::Grey),
        (color.has_alpha(), Note::Alpha),
        (wide, Note::SixteenBit),
    ]
    .into_iter()
    .filter_map(|(happens, note)| happens.then_some(note))
    .collect()
}

/// 8-bit RGB of any decoded samples.
fn to_rgb8(image: DynamicImage) -> Rgb8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let data = match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => image
            .into_rgb16()
            .into_raw()
            .into_iter()
            .map(narrow)
            .collect(),
        other => other.into_rgb8().into_raw(),
    };
    Rgb8 {
        width,
        height,
        data,
    }
}

/// 16 bits to 8: `v * 255 / 65535`, rounded (65535 is 255 · 257, so there are no ties).
pub(crate) fn narrow(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// Whether these bytes are a PNG file whose header (byte 25) gives the colour type "palette".
fn is_palette_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG") && bytes.get(25) == Some(&3)
}

/// Whether a JPEG file runs to its end-of-image marker: decoders fill up what is missing with grey, silently.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[prefix, marker]) = bytes.get(at..at + 2).and_then(|two| two.first_chunk()) {
        at = match (prefix, marker) {
            (0xFF, 0xD9) => return true,
            (0xFF, 0xFF) | (0x00..=0xFE, _) => at + 1, // fill bytes and entropy-coded data
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at + 2, // a stuffed byte, or a marker without a body
            (0xFF, _) => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
        };
    }
    false
}

/// The bytes of an 8-bit RGB PNG file; equal images give equal bytes.
/// Errors: [`PixelError::Buffer`] where the image's fields contradict each other.
pub fn encode_png(image: &Rgb8) -> Result<Vec<u8>> {
    crate::image::check_length(image.size(), image.data.len())?;
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    let color = image::ExtendedColorType::Rgb8;
    encoder
        .write_image(&image.data, image.width as u32, image.height as u32, color)
        .map_err(|_| PixelError::Buffer {
            size: image.size(),
            expected: 0,
            found: image.data.len(),
        })?;
    Ok(bytes)
}

/// Writes an 8-bit RGB PNG file; equal images give equal bytes.
/// Errors: [`PixelError::Write`], [`PixelError::Buffer`].
pub fn write_png(path: &Path, image: &Rgb8) -> Result<()> {
    std::fs::write(path, encode_png(image)?).map_err(PixelError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, LumaA, Rgb, RgbaImage};

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn load(bytes: &[u8]) -> Result<Loaded> {
        decode_rgb8(bytes, Path::new("folder/picture.png"))
    }

    fn photo() -> Rgb8 {
        let data =
            (0..40 * 30).flat_map(|i| [i % 40 * 6, i / 40 * 8, i * 7 % 256].map(|v| v as u8));
        Rgb8::new(40, 30, data.collect()).unwrap()
    }

    #[test]
    fn png_round_trips_with_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write_png(&path, &photo()).unwrap();
        assert_eq!(
            read_rgb8(&path).unwrap(),
            Loaded {
                image: photo(),
                notes: vec![]
            }
        );
        assert_eq!(std::fs::read(&path).unwrap(), encode_png(&photo()).unwrap());
        let error = write_png(&folder.path().join("no/such.png"), &photo()).unwrap_err();
        assert!(matches!(error, PixelError::Write { .. }));
    }

    #[test]
    fn grey_alpha_and_sixteen_bits_are_converted_and_said() {
        let grey = DynamicImage::ImageLuma8(GrayImage::from_raw(2, 1, vec![7, 200]).unwrap());
        let loaded = load(&encoded(&grey, ImageFormat::Png)).unwrap();
        assert_eq!(
            (loaded.image.data, loaded.notes),
            (vec![7, 7, 7, 200, 200, 200], vec![Note::Grey])
        );

        let rgba = DynamicImage::ImageRgba8(RgbaImage::from_raw(1, 1, vec![1, 2, 3, 0]).unwrap());
        let loaded = load(&encoded(&rgba, ImageFormat::Png)).unwrap();
        assert_eq!(
            (loaded.image.data, loaded.notes),
            (vec![1, 2, 3], vec![Note::Alpha])
        );

        let deep = ImageBuffer::<Rgb<u16>, _>::from_raw(1, 1, vec![65535, 128, 129]).unwrap();
        let loaded = load(&encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
        assert_eq!(
            (loaded.image.data, loaded.notes),
            (vec![255, 0, 1], vec![Note::SixteenBit])
        );

        let all = ImageBuffer::<LumaA<u16>, _>::from_raw(1, 1, vec![257 * 9, 5]).unwrap();
        let loaded = load(&encoded(&DynamicImage::ImageLumaA16(all), ImageFormat::Png)).unwrap();
        assert_eq!(loaded.image.data, [9, 9, 9]);
        assert_eq!(loaded.notes, [Note::Grey, Note::Alpha, Note::SixteenBit]);
    }

    #[test]
    fn sixteen_bits_round_to_the_nearest() {
        for sample in 0..=u16::MAX {
            assert_eq!(
                narrow(sample),
                (f64::from(sample) * 255.0 / 65535.0).round() as u8
            );
        }
    }

    /// A palette PNG of 2x1 pixels with the colours (10, 20, 30) and (40, 50, 60), put together by hand.
    #[test]
    fn palettes_are_looked_up_and_said() {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8; 4], body: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(kind);
            crc.update(body);
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(kind.iter().chain(body));
            bytes.extend(crc.sum().to_be_bytes());
        };
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0]);
        chunk(b"PLTE", &[10, 20, 30, 40, 50, 60]);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut zlib, &[0, 1, 0]).unwrap();
        chunk(b"IDAT", &zlib.finish().unwrap());
        chunk(b"IEND", &[]);
        let loaded = load(&bytes).unwrap();
        assert_eq!(
            (loaded.image.data, loaded.notes),
            (vec![40, 50, 60, 10, 20, 30], vec![Note::Palette])
        );
    }

    #[test]
    fn bmp_and_jpeg_are_read_by_content_and_jpeg_decodes_alike_each_time() {
        let rgb = image::RgbImage::from_raw(40, 30, photo().data).unwrap();
        let rgb = DynamicImage::ImageRgb8(rgb);
        assert_eq!(
            load(&encoded(&rgb, ImageFormat::Bmp)).unwrap().image,
            photo()
        );
        let bytes = encoded(&rgb, ImageFormat::Jpeg);
        let first = load(&bytes).unwrap();
        assert_eq!(
            (first.image.width, first.image.height, first.notes.len()),
            (40, 30, 0)
        );
        assert_eq!(load(&bytes).unwrap(), first);
    }

    /// A JPEG with an Exif segment (APP1, big-endian TIFF, one entry: orientation 6, a quarter turn clockwise).
    #[test]
    fn an_orientation_tag_is_applied_and_said() {
        let rgb = image::RgbImage::from_raw(40, 30, photo().data).unwrap();
        let plain = encoded(&DynamicImage::ImageRgb8(rgb), ImageFormat::Jpeg);
        let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut tagged = plain[..2].to_vec();
        tagged.extend(b"\xff\xe1");
        tagged.extend((8 + tiff.len() as u16).to_be_bytes());
        tagged.extend(b"Exif\0\0");
        tagged.extend(tiff);
        tagged.extend(&plain[2..]);
        let (upright, turned) = (load(&plain).unwrap(), load(&tagged).unwrap());
        assert_eq!(turned.notes, [Note::Turned]);
        assert_eq!(turned.image.size(), (30, 40));
        let pixel = |image: &Rgb8, x: usize, y: usize| {
            image.data[3 * (y * image.width + x)..][..3].to_vec()
        };
        assert_eq!(
            pixel(&turned.image, 29, 0),
            pixel(&upright.image, 0, 0),
            "the top left corner is at the top right"
        );
    }

    #[test]
    fn damaged_and_foreign_files_are_errors_that_name_the_file() {
        let rgb = DynamicImage::ImageRgb8(image::RgbImage::from_raw(40, 30, photo().data).unwrap());
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp] {
            let bytes = encoded(&rgb, format);
            for kept in [bytes.len() / 5, bytes.len() / 2, bytes.len() * 9 / 10] {
                let error = load(&bytes[..kept]).unwrap_err();
                assert!(
                    matches!(error, PixelError::Damaged { .. }),
                    "{format:?} {kept}: {error}"
                );
                assert!(error.to_string().contains("folder/picture.png"));
            }
        }
        for bytes in [&b""[..], b"plain text", b"GIF89a\x01\x00\x01\x00"] {
            assert!(matches!(
                load(bytes).unwrap_err(),
                PixelError::NotAnImage { .. }
            ));
        }
        let missing = read_rgb8(Path::new("no/such.png")).unwrap_err();
        assert!(matches!(missing, PixelError::Read { .. }));
    }

    #[test]
    fn a_hostile_header_is_refused_before_allocating() {
        let mut bytes = encode_png(&photo()).unwrap();
        bytes[16..24].copy_from_slice(&[0x7f, 0, 0, 0, 0x7f, 0, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        let error = load(&bytes).unwrap_err();
        assert!(
            matches!(
                error,
                PixelError::TooLarge { .. } | PixelError::Damaged { .. }
            ),
            "{error}"
        );
    }

    #[test]
    fn notes_read_well() {
        assert_eq!(Note::Alpha.to_string(), "transparency dropped");
    }
}
