//! A mask out of an image file: which pixels are inside, by a rule that the file leaves no doubt about.
//! Unaware of folders and of other masks.
//!
//! | reading | inside is | for |
//! |---|---|---|
//! | `nonzero` | a colour other than black | two values: 0 and 1, 0 and 255, any |
//! | `half` | a brightness of half or more | soft edges, JPEG |
//! | `alpha` | opaque by half or more | cut-outs |
//! | `index` | a palette's index other than 0 | label pictures |
//!
//! Without a choice a file with losses is read by half, unless it has colours or nothing that bright, and any other by
//! `nonzero` where the other readings that its form allows say the same. What is left is refused and the choices are named.

use std::path::Path;

use image::{DynamicImage, GenericImageView};

use crate::error::{PixelError, Result, Size};
use crate::formats::{self, Decoded};
use crate::io::{Reader, read_file};
use crate::rle::Rle;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaskRead {
    /// The only reading that the file's form allows, or an error.
    #[default]
    Auto,
    /// A certain one.
    By(Reading),
}

/// Which pixels of a mask file are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Colours other than black.
    Nonzero,
    /// Brightness of half or more.
    Half,
    /// Opacity of half or more.
    Alpha,
    /// Palette indices other than 0.
    Index,
}

impl Reading {
    /// The word in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nonzero => "nonzero",
            Self::Half => "half",
            Self::Alpha => "alpha",
            Self::Index => "index",
        }
    }
}

/// The mask of a file and how it was read.
/// Errors: [`PixelError::MaskSize`], [`PixelError::MaskReading`], those of reading images.
pub(crate) fn read_mask_image(
    read: &Reader<'_>,
    path: &Path,
    size: Size,
    how: MaskRead,
) -> Result<(Rle, Reading)> {
    let bytes = read_file(read, path)?;
    let decoded = formats::decode(&bytes, path)?;
    let found = size_of(&decoded);
    if found != size {
        return Err(PixelError::MaskSize {
            path: path.into(),
            what: "the mask".into(),
            expected: size,
            found,
        });
    }
    inside(&bytes, &decoded, path, how)
}

/// The same of the bytes of a file, whatever its size.
pub(crate) fn decode_mask_image(
    bytes: &[u8],
    path: &Path,
    how: MaskRead,
) -> Result<(Rle, Reading)> {
    inside(bytes, &formats::decode(bytes, path)?, path, how)
}

fn size_of(decoded: &Decoded) -> Size {
    (
        decoded.image.width() as usize,
        decoded.image.height() as usize,
    )
}

fn inside(bytes: &[u8], decoded: &Decoded, path: &Path, how: MaskRead) -> Result<(Rle, Reading)> {
    let size = size_of(decoded);
    let readings = Readings::new(bytes, decoded, path)?;
    let refused = |reason: String, hint: &str| PixelError::MaskReading {
        path: path.into(),
        reason,
        hint: hint.into(),
    };
    let reading = match how {
        MaskRead::Auto => readings
            .only()
            .map_err(|(reason, hint)| refused(reason, &hint))?,
        MaskRead::By(reading) => reading,
    };
    let inside = readings.of(reading).ok_or_else(|| {
        let lacks = match reading {
            Reading::Alpha => "no transparency",
            _ => "no palette",
        };
        let hint = "name a reading that the files allow, or none";
        refused(
            format!("it has {lacks}, and `read: {}`", reading.name()),
            hint,
        )
    })?;
    Ok((Rle::from_bitmap(inside, size.0, size.1)?, reading))
}

/// The mask by each reading that a file allows, height × width.
struct Readings {
    nonzero: Vec<u8>,
    half: Vec<u8>,
    alpha: Option<Vec<u8>>,
    index: Option<Vec<u8>>,
    /// Colours beside black: none, one, or more than one.
    beside_black: usize,
    /// One where all pixels are alike, more otherwise.
    colours: usize,
    /// Whether there are colours that no losses have made of grey.
    colourful: bool,
    lossy: bool,
}

/// Channels of grey that was stored with losses are nearer to each other than this, of 16 bits.
const GREY: u16 = 64 * 257;

impl Readings {
    fn new(bytes: &[u8], decoded: &Decoded, path: &Path) -> Result<Self> {
        let image = &decoded.image;
        let alpha = image
            .color()
            .has_alpha()
            .then(|| by(image, |[_, _, _, a]| a >= 1 << 15));
        let index = if decoded.palette {
            let indices = formats::decode_indices(bytes, path)?;
            Some(by(&indices, |[r, _, _, _]| r != 0))
        } else {
            None
        };
        let (mut beside_black, mut colours, mut first) = (0, 0, None);
        let (mut other, mut colourful) = (None, false);
        visit(image, |[r, g, b, _]| {
            let colour = [r, g, b];
            colourful |= r.max(g).max(b) - r.min(g).min(b) > GREY;
            if first.is_none_or(|first| first != colour) {
                colours += 1;
                first = first.or(Some(colour));
            }
            if colour != [0; 3] && other.is_none_or(|other| other != colour) {
                beside_black += 1;
                other = other.or(Some(colour));
            }
        });
        Ok(Self {
            nonzero: by(image, |[r, g, b, _]| r | g | b != 0),
            half: by(image, |pixel| brightness(pixel) >= 1 << 15),
            // A palette may have transparent colours beside its indices, which mean more.
            alpha: alpha.filter(|_| index.is_none()),
            index,
            beside_black,
            colours,
            colourful,
            lossy: decoded.lossy,
        })
    }

    fn of(&self, reading: Reading) -> Option<&[u8]> {
        match reading {
            Reading::Nonzero => Some(&self.nonzero),
            Reading::Half => Some(&self.half),
            Reading::Alpha => self.alpha.as_deref(),
            Reading::Index => self.index.as_deref(),
        }
    }

    /// The reading that nothing contradicts. Errors: what does, and what is to be done.
    fn only(&self) -> std::result::Result<Reading, (String, String)> {
        let choose = |words: &str, more: &str| {
            let choices = format!("say which with `read: {words}` beside `path`{more}");
            Err(choices)
        };
        let refused =
            |reason: &str, words: &str| choose(words, "").map_err(|hint| (reason.to_owned(), hint));
        let plain = if self.lossy {
            Reading::Half
        } else {
            Reading::Nonzero
        };
        let seen = self.of(plain).unwrap_or_default();
        // Opacity everywhere says nothing where the colours say something.
        let speaks = |alpha: &[u8]| self.colours <= 1 || alpha.contains(&0);
        if let Some(alpha) = &self.alpha
            && speaks(alpha)
            && alpha != seen
        {
            let reason = "its transparency and its colours show different masks";
            return refused(reason, &format!("alpha` or `read: {}", plain.name()));
        }
        if let Some(index) = &self.index
            && index != seen
        {
            let reason = "the first colour of its palette is not black, so that index and colour show different masks";
            return refused(reason, "index` or `read: nonzero");
        }
        if self.lossy && self.colourful {
            let reason =
                "it is stored with losses and has colours, of which brightness says little";
            return refused(reason, "half");
        }
        if self.lossy && !self.half.contains(&1) && self.nonzero.contains(&1) {
            let reason = "it is stored with losses, and nothing in it is half as bright as white";
            return refused(reason, "half` or `read: nonzero");
        }
        if plain == Reading::Nonzero
            && self.beside_black > 1
            && self.index.is_none()
            && self.half != self.nonzero
        {
            let reason = "it has more than two values: a mask with soft edges, or labels";
            return refused(reason, "half` or `read: nonzero");
        }
        Ok(plain)
    }
}

/// Luminance of BT.601 in 16 bits; grey stays as it is.
fn brightness([r, g, b, _]: [u16; 4]) -> u16 {
    let [r, g, b] = [r, g, b].map(u32::from);
    ((299 * r + 587 * g + 114 * b + 500) / 1000) as u16
}

/// For each pixel whether it is inside, 0 or 1.
fn by(image: &DynamicImage, inside: impl Fn([u16; 4]) -> bool) -> Vec<u8> {
    let mut bits = Vec::with_capacity(image.width() as usize * image.height() as usize);
    visit(image, |pixel| bits.push(u8::from(inside(pixel))));
    bits
}

/// Every pixel as 16-bit RGBA; no value but zero becomes zero.
fn visit(image: &DynamicImage, mut pixel: impl FnMut([u16; 4])) {
    let wide = |v: u8| u16::from(v) * 257;
    match image {
        DynamicImage::ImageLuma8(image) => {
            for p in image.pixels() {
                let v = wide(p.0[0]);
                pixel([v, v, v, u16::MAX]);
            }
        }
        DynamicImage::ImageLumaA8(image) => {
            for p in image.pixels() {
                let v = wide(p.0[0]);
                pixel([v, v, v, wide(p.0[1])]);
            }
        }
        DynamicImage::ImageRgb8(image) => {
            for p in image.pixels() {
                let [r, g, b] = p.0.map(wide);
                pixel([r, g, b, u16::MAX]);
            }
        }
        DynamicImage::ImageLuma16(image) => {
            for p in image.pixels() {
                let v = p.0[0];
                pixel([v, v, v, u16::MAX]);
            }
        }
        DynamicImage::ImageLumaA16(image) => {
            for p in image.pixels() {
                let [v, a] = p.0;
                pixel([v, v, v, a]);
            }
        }
        DynamicImage::ImageRgb16(image) => {
            for p in image.pixels() {
                let [r, g, b] = p.0;
                pixel([r, g, b, u16::MAX]);
            }
        }
        DynamicImage::ImageRgba16(image) => image.pixels().for_each(|p| pixel(p.0)),
        other => other.pixels().for_each(|(_, _, p)| pixel(p.0.map(wide))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageFormat, RgbaImage};

    fn saved(image: &DynamicImage, format: ImageFormat) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask");
        image.save_with_format(&path, format).unwrap();
        (dir, path)
    }

    fn grey(values: &[u8]) -> DynamicImage {
        let image = GrayImage::from_raw(values.len() as u32, 1, values.to_vec());
        DynamicImage::ImageLuma8(image.unwrap())
    }

    fn rgba(pixels: &[[u8; 4]]) -> DynamicImage {
        let image = RgbaImage::from_raw(pixels.len() as u32, 1, pixels.concat());
        DynamicImage::ImageRgba8(image.unwrap())
    }

    fn read(image: &DynamicImage, how: MaskRead) -> std::result::Result<Vec<u8>, String> {
        let width = image.width() as usize;
        let (_dir, path) = saved(image, ImageFormat::Png);
        let read = read_mask_image(&files::read, &path, (width, 1), how);
        read.map(|(mask, _)| mask.to_bitmap())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn two_values_need_no_choice_whatever_they_are() {
        for v in [1, 7, 128, 255] {
            assert_eq!(read(&grey(&[0, v, 0]), MaskRead::Auto).unwrap(), [0, 1, 0]);
        }
        assert_eq!(read(&grey(&[0, 0]), MaskRead::Auto).unwrap(), [0, 0]);
        assert_eq!(read(&grey(&[200, 255]), MaskRead::Auto).unwrap(), [1, 1]);
    }

    #[test]
    fn soft_edges_and_labels_need_one() {
        for values in [&[0, 90, 255][..], &[1, 255], &[0, 1, 2]] {
            let error = read(&grey(values), MaskRead::Auto).unwrap_err();
            assert!(error.contains("`read: half` or `read: nonzero`"), "{error}");
        }
        let by = |reading| read(&grey(&[0, 90, 255]), MaskRead::By(reading));
        assert_eq!(by(Reading::Half).unwrap(), [0, 0, 1]);
        assert_eq!(by(Reading::Nonzero).unwrap(), [0, 1, 1]);
        assert!(by(Reading::Alpha).unwrap_err().contains("no transparency"));
        assert!(by(Reading::Index).unwrap_err().contains("no palette"));
    }

    #[test]
    fn transparency_counts_only_where_it_is_the_mask() {
        let (clear, white, black) = ([255, 255, 255, 0], [255; 4], [0, 0, 0, 255]);
        // What editors write: opaque, black and white.
        assert_eq!(
            read(&rgba(&[black, white]), MaskRead::Auto).unwrap(),
            [0, 1]
        );
        // An empty mask in both.
        assert_eq!(
            read(&rgba(&[[0; 4], [0; 4]]), MaskRead::Auto).unwrap(),
            [0, 0]
        );
        for pixels in [[clear, white], [clear, clear], [black, black]] {
            let error = read(&rgba(&pixels), MaskRead::Auto).unwrap_err();
            assert!(
                error.contains("`read: alpha` or `read: nonzero`"),
                "{error}"
            );
        }
        let by = MaskRead::By(Reading::Alpha);
        assert_eq!(read(&rgba(&[clear, white]), by).unwrap(), [0, 1]);
    }

    /// Four pixels of two bits each, 0 1 2 0.
    fn palette(colours: &[[u8; 3]]) -> (tempfile::TempDir, std::path::PathBuf) {
        let bytes = crate::png::with_palette(4, 2, colours, &[0b0001_1000]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mask.png");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn palettes_are_read_by_index_or_by_colour_and_by_neither_unasked_where_they_differ() {
        let read = |colours: &[[u8; 3]], how| {
            let (_dir, path) = palette(colours);
            let read = read_mask_image(&files::read, &path, (4, 1), how);
            read.map(|(mask, _)| mask.to_bitmap())
                .map_err(|e| e.to_string())
        };
        let usual = [[0; 3], [128, 0, 0], [0, 128, 0]];
        assert_eq!(read(&usual, MaskRead::Auto).unwrap(), [0, 1, 1, 0]);
        let white_first = [[255; 3], [0; 3], [9, 9, 9]];
        let error = read(&white_first, MaskRead::Auto).unwrap_err();
        assert!(
            error.contains("`read: index` or `read: nonzero`"),
            "{error}"
        );
        let by = |reading| read(&white_first, MaskRead::By(reading)).unwrap();
        assert_eq!(by(Reading::Index), [0, 1, 1, 0]);
        assert_eq!(by(Reading::Nonzero), [1, 0, 1, 1]);
    }
}
