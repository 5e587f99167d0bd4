//! What stands beside the samples of a file: its ICC profile and its Exif block, as bytes.
//! Unaware of what a profile says. What is larger than a bound, or damaged, is as if it were not there.

use std::io::{Cursor, Read};

use flate2::read::ZlibDecoder;
use image::codecs::tiff::TiffDecoder;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat};

/// The largest profile that is carried, bytes: those of cameras and printers have up to 3 MB. A compressed one may unpack
/// to gigabytes.
const MOST: usize = 8 << 20;

/// How an Exif segment of a JPEG file begins; the TIFF structure follows.
pub(super) const EXIF: &[u8] = b"Exif\0\0";

/// How a segment with a part of a profile begins; its number from 1 and the number of all parts follow.
pub(super) const ICC: &[u8] = b"ICC_PROFILE\0";

/// The colour profile of a file.
pub(super) fn profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let found = match image::guess_format(bytes).ok()? {
        ImageFormat::Png => unpacked(png_chunk(bytes, *b"iCCP")?),
        ImageFormat::Jpeg => joined(bytes),
        ImageFormat::WebP => webp_chunk(bytes, *b"ICCP").map(<[u8]>::to_vec),
        ImageFormat::Tiff => TiffDecoder::new(Cursor::new(bytes))
            .ok()?
            .icc_profile()
            .ok()?,
        _ => None,
    };
    found.filter(|profile| profile.len() <= MOST)
}

/// The Exif block of a file, turned as its samples are once they are upright.
pub(super) fn exif(bytes: &[u8]) -> Option<Vec<u8>> {
    let found = match image::guess_format(bytes).ok()? {
        ImageFormat::Png => png_chunk(bytes, *b"eXIf")?,
        ImageFormat::Jpeg => {
            let mut segments = segments(bytes, 0xE1);
            segments.find_map(|body| body.strip_prefix(EXIF))?
        }
        ImageFormat::WebP => {
            let body = webp_chunk(bytes, *b"EXIF")?;
            body.strip_prefix(EXIF).unwrap_or(body)
        }
        _ => return None,
    };
    let mut exif = found.to_vec();
    // One without an orientation stays as it is; one that cannot be read at all says nothing that could be wrong.
    let _ = Orientation::remove_from_exif_chunk(&mut exif);
    (exif.len() <= MOST).then_some(exif)
}

/// The body of a chunk of a PNG file.
fn png_chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (&[l3, l2, l1, l0, n0, n1, n2, n3], body) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        if [n0, n1, n2, n3] == name {
            return body.get(..length);
        }
        rest = body.get(length.checked_add(4)?..)?; // and its checksum
    }
}

/// The profile of an `iCCP` chunk: a name, a zero, the method of compression, data.
fn unpacked(chunk: &[u8]) -> Option<Vec<u8>> {
    let name = chunk.iter().take(80).position(|byte| *byte == 0)?;
    let data = chunk.get(name + 2..)?;
    let mut profile = Vec::new();
    let most = MOST as u64 + 1;
    ZlibDecoder::new(data)
        .take(most)
        .read_to_end(&mut profile)
        .ok()?;
    Some(profile)
}

/// The profile of a JPEG file, put together in the order of its parts' numbers.
fn joined(bytes: &[u8]) -> Option<Vec<u8>> {
    let parts = segments(bytes, 0xE2).filter_map(|body| body.strip_prefix(ICC));
    let mut parts: Vec<(u8, u8, &[u8])> = parts
        .filter_map(|part| part.split_first_chunk())
        .map(|(&[number, all], data)| (number, all, data))
        .collect();
    parts.sort_by_key(|part| part.0);
    let count = parts.first()?.1;
    // Some writers count from 0.
    let first = parts.first()?.0;
    let is_whole = parts.len() == usize::from(count)
        && (parts.iter().zip(first..=u8::MAX)).all(|(part, number)| part.0 == number);
    is_whole.then(|| parts.iter().flat_map(|part| part.2).copied().collect())
}

/// The bodies of a JPEG file's segments with this marker that stand before its first scan.
fn segments(bytes: &[u8], marker: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    let next = move || loop {
        let (&[0xFF, found, high, low], _) = rest.split_first_chunk()? else {
            return None;
        };
        if found == 0xFF {
            rest = &rest[1..]; // a fill byte
            continue;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..2 + length)?;
        rest = rest.get(2 + length..)?;
        match found {
            0xD9 | 0xDA => return None,
            _ if found == marker => return Some(body),
            _ => {}
        }
    };
    std::iter::from_fn(next)
}

/// The body of a chunk of a WebP file.
fn webp_chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (&[n0, n1, n2, n3, l0, l1, l2, l3], body) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if [n0, n1, n2, n3] == name {
            return body.get(..length);
        }
        rest = body.get(length.checked_add(length % 2)?..)?;
    }
}
