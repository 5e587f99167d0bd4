//! Reads image files into 8-bit RGB, saying what was converted, and writes PNG.
//! Unaware of data sets, of formats (`formats`), and of which files are images of a folder (`folder`).

use std::fmt;
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder};

use crate::error::{PixelError, Result, Size};
use crate::formats::{self, Decoded};
use crate::image::Rgb8;
use crate::limits;

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
    /// The file holds further pages or frames, which are not read.
    FirstOfMany,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Grey => "grey, copied to three channels",
            Self::Alpha => "transparency dropped",
            Self::SixteenBit => "16 bits a sample, scaled to 8",
            Self::Palette => "palette looked up",
            Self::Turned => "turned as its orientation tag says",
            Self::FirstOfMany => "the first of several pages or frames",
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

/// Reads a PNG, JPEG, BMP, TIFF or WebP file, told apart by content. An orientation tag is applied, as `cv2.imread` does
/// in the codes of the field; colour profiles and gamma are ignored, as there.
/// Errors: [`PixelError::Read`], and those of [`decode_rgb8`].
pub fn read_rgb8(path: &Path) -> Result<Loaded> {
    read_rgb8_by(&files::read, path)
}

/// Reads a file of at most so many bytes, as [`files::read`] does.
pub type Reader<'a> = dyn Fn(&Path, u64) -> std::io::Result<Vec<u8>> + Sync + 'a;

/// As [`read_rgb8`], with the bytes that `read` gives.
pub fn read_rgb8_by(read: &Reader<'_>, path: &Path) -> Result<Loaded> {
    decode_rgb8(&read_file(read, path)?, path)
}

/// Width and height of an image file as they are stored, by its header; what is damaged behind it is not looked at.
/// Errors: [`PixelError::Read`], and those of [`decode_rgb8`] that a header can cause.
pub fn image_size(path: &Path) -> Result<Size> {
    image_size_by(&files::read, path)
}

/// As [`image_size`], with the bytes that `read` gives.
pub fn image_size_by(read: &Reader<'_>, path: &Path) -> Result<Size> {
    formats::size(&read_file(read, path)?, path)
}

/// The bytes of a regular file that is not larger than its samples could be.
pub(crate) fn read_file(read: &Reader<'_>, path: &Path) -> Result<Vec<u8>> {
    read(path, limits::memory_budget() / 4).map_err(PixelError::read(path))
}

/// Decodes the bytes of an image file; `path` is for messages only.
/// Errors: [`PixelError::NotAnImage`], [`PixelError::TooLarge`], [`PixelError::TooMuchMemory`],
/// [`PixelError::Unsupported`], [`PixelError::Damaged`].
pub fn decode_rgb8(bytes: &[u8], path: &Path) -> Result<Loaded> {
    let decoded = formats::decode(bytes, path)?;
    Ok(Loaded {
        notes: notes_of(&decoded),
        image: to_rgb8(decoded.image),
    })
}

/// What [`to_rgb8`] will do to an image, and what was done before.
pub(crate) fn notes_of(decoded: &Decoded) -> Vec<Note> {
    let color = decoded.image.color();
    let wide = color.bytes_per_pixel() / color.channel_count() > 1;
    [
        (!color.has_color(), Note::Grey),
        (color.has_alpha(), Note::Alpha),
        (wide, Note::SixteenBit),
        (decoded.palette, Note::Palette),
        (decoded.turned, Note::Turned),
        (decoded.first_of_many, Note::FirstOfMany),
    ]
    .into_iter()
    .filter_map(|(happens, note)| happens.then_some(note))
    .collect()
}

/// 8-bit RGB of any decoded samples, without a second copy in 16 bits.
pub(crate) fn to_rgb8(image: DynamicImage) -> Rgb8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let colours = |samples: Vec<u16>, channels: usize| -> Vec<u8> {
        let pixels = samples.chunks_exact(channels);
        if channels < 3 {
            return pixels.flat_map(|pixel| [narrow(pixel[0]); 3]).collect();
        }
        let colour = |pixel: &[u16]| [narrow(pixel[0]), narrow(pixel[1]), narrow(pixel[2])];
        pixels.flat_map(colour).collect()
    };
    let data = match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageLuma16(image) => colours(image.into_raw(), 1),
        DynamicImage::ImageLumaA16(image) => colours(image.into_raw(), 2),
        DynamicImage::ImageRgb16(image) => colours(image.into_raw(), 3),
        DynamicImage::ImageRgba16(image) => colours(image.into_raw(), 4),
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

/// The bytes of an 8-bit RGB PNG file; equal images give equal bytes.
/// Errors: [`PixelError::Buffer`] where the image's fields contradict each other, [`PixelError::Encode`].
pub fn encode_png(image: &Rgb8) -> Result<Vec<u8>> {
    crate::image::check_length(image.size(), image.data.len())?;
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    let color = image::ExtendedColorType::Rgb8;
    encoder
        .write_image(&image.data, image.width as u32, image.height as u32, color)
        .map_err(|error| PixelError::Encode {
            form: "PNG",
            size: image.size(),
            reason: error.to_string(),
        })?;
    Ok(bytes)
}

/// Writes an 8-bit RGB PNG file; equal images give equal bytes.
/// Errors: [`PixelError::Write`], and those of [`encode_png`].
pub fn write_png(path: &Path, image: &Rgb8) -> Result<()> {
    std::fs::write(path, encode_png(image)?).map_err(PixelError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    use image::{GrayImage, ImageBuffer, ImageFormat, LumaA, Rgb, RgbaImage};

    /// A JPEG by the decoder's own library.
    fn jpeg() -> Vec<u8> {
        let mut jpeg = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
        jpeg.set_size(40, 30);
        let mut jpeg = jpeg.start_compress(Vec::new()).unwrap();
        jpeg.write_scanlines(&photo().data).unwrap();
        jpeg.finish().unwrap()
    }

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
        let error = encode_png(&Rgb8::new(0, 3, Vec::new()).unwrap()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("an image of 0x3 pixels cannot be encoded as PNG: "),
            "{message}"
        );
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

    #[test]
    fn palettes_are_looked_up_and_said() {
        let colours = [[10, 20, 30], [40, 50, 60]];
        let bytes = crate::png::with_palette(2, 8, &colours, &[1, 0]);
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
        let bytes = jpeg();
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
        let plain = jpeg();
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
        let formats = [
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::WebP,
        ];
        let others = formats.map(|format| (Some(format), encoded(&rgb, format)));
        for (format, bytes) in others.into_iter().chain([(None, jpeg())]) {
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
    fn tiff_and_webp_without_loss_are_read_as_they_are() {
        let rgb = DynamicImage::ImageRgb8(image::RgbImage::from_raw(40, 30, photo().data).unwrap());
        for format in [ImageFormat::Tiff, ImageFormat::WebP] {
            let loaded = load(&encoded(&rgb, format)).unwrap();
            assert_eq!(
                (loaded.image, loaded.notes),
                (photo(), vec![]),
                "{format:?}"
            );
        }
        let floats = DynamicImage::ImageRgb32F(rgb.to_rgb32f());
        let error = load(&encoded(&floats, ImageFormat::Tiff)).unwrap_err();
        assert!(error.to_string().contains("floating-point"), "{error}");
    }

    /// A colour profile that unpacks to 64 MB for each 64 KB.
    #[test]
    fn what_a_colour_profile_unpacks_to_is_never_asked() {
        let plain = encode_png(&photo()).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut zlib, &vec![0; 64 << 20]).unwrap();
        let body = [b"icc\0\0".to_vec(), zlib.finish().unwrap()].concat();
        let profile = crate::png::with_sum(*b"iCCP", &body);
        let bytes = [&plain[..33], &profile, &plain[33..]].concat();
        assert_eq!(load(&bytes).unwrap().image, photo());
        assert_eq!(crate::png::read(&bytes).unwrap().bytes.len(), plain.len());
    }

    #[test]
    fn a_wrong_checksum_is_named_in_words() {
        let mut bytes = encode_png(&photo()).unwrap();
        bytes[60] ^= 1;
        let error = load(&bytes).unwrap_err().to_string();
        assert!(error.contains("the checksum of its chunk IDAT"), "{error}");
        assert!(!error.contains('{'), "{error}");
    }

    #[test]
    fn a_hostile_header_is_refused_before_allocating() {
        let mut bytes = encode_png(&photo()).unwrap();
        bytes[16..24].copy_from_slice(&[0x7f, 0, 0, 0, 0x7f, 0, 0, 0]);
        let header = crate::png::with_sum(*b"IHDR", &bytes[16..29]);
        bytes[8..33].copy_from_slice(&header);
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
