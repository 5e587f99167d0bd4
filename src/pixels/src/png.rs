//! Walks through the chunks of a PNG file, checks their sums, and keeps those that samples depend on.
//! Unaware of samples: what is kept goes to a decoder.
//!
//! Colour profiles and texts are compressed: a small one may unpack to gigabytes. They change no sample here (as with
//! `cv2.imread`), so the decoder never sees them.

use std::borrow::Cow;

/// Chunks that a decoder gets: the critical ones, transparency, and Exif for the orientation.
const KEPT: &[&[u8; 4]] = &[b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"];

/// A PNG file without what samples do not depend on.
pub(crate) struct PngFile<'a> {
    /// Width and height.
    pub size: (usize, usize),
    /// Whether samples are indices of colours.
    pub palette: bool,
    /// Whether there are further frames.
    pub animated: bool,
    /// The file for the decoder.
    pub bytes: Cow<'a, [u8]>,
}

impl PngFile<'_> {
    /// The file with a palette whose colours are their own indices, none of them transparent.
    pub fn with_indices(&self) -> Vec<u8> {
        let mut out = self.bytes.get(..8).unwrap_or_default().to_vec();
        let mut at = 8;
        while let Ok((name, body, end)) = chunk(&self.bytes, at) {
            match &name {
                b"PLTE" => out.extend(ramp(body.len() / 3)),
                b"tRNS" => {}
                _ => out.extend(&self.bytes[at..end]),
            }
            at = end;
        }
        out
    }
}

/// A palette chunk of as many greys.
fn ramp(colours: usize) -> Vec<u8> {
    let greys = (0..=255).take(colours).flat_map(|index| [index; 3]);
    with_sum(*b"PLTE", &greys.collect::<Vec<u8>>())
}

/// A chunk as it stands in a file.
pub(crate) fn with_sum(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(&name);
    crc.update(body);
    let (length, sum) = ((body.len() as u32).to_be_bytes(), crc.sum().to_be_bytes());
    [&length, &name, body, &sum].concat()
}

/// A file of one row with these colours, put together by hand; `row` is packed, `bits` an index.
#[cfg(test)]
pub(crate) fn with_palette(width: u8, bits: u8, colours: &[[u8; 3]], row: &[u8]) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut zlib, &[&[0], row].concat()).unwrap();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        with_sum(*b"IHDR", &[0, 0, 0, width, 0, 0, 0, 1, bits, 3, 0, 0, 0]),
        with_sum(*b"PLTE", &colours.concat()),
        with_sum(*b"IDAT", &zlib.finish().unwrap()),
        with_sum(*b"IEND", &[]),
    ]
    .concat()
}

/// Walks to the end chunk. Errors: where a chunk breaks off or its sum is wrong.
pub(crate) fn read(bytes: &[u8]) -> Result<PngFile<'_>, String> {
    let mut file = PngFile {
        size: (0, 0),
        palette: false,
        animated: false,
        bytes: Cow::Borrowed(bytes),
    };
    let mut kept = bytes.get(..8).unwrap_or_default().to_vec();
    kept.reserve(bytes.len());
    let (mut at, mut dropped) = (8, false);
    loop {
        let (name, body, end) = chunk(bytes, at)?;
        if at == 8 {
            header(&mut file, name, body)?;
        }
        file.animated |= &name == b"acTL";
        if KEPT.contains(&&name) {
            kept.extend(&bytes[at..end]);
        } else {
            dropped = true;
        }
        at = end;
        if &name == b"IEND" {
            break;
        }
    }
    if dropped {
        file.bytes = Cow::Owned(kept);
    }
    Ok(file)
}

/// What says how colours are meant. A profile is not unpacked.
pub(crate) fn profile(bytes: &[u8]) -> Option<&'static str> {
    const NAMES: [(&[u8; 4], &str); 3] = [
        (b"iCCP", "ICC profile"),
        (b"sRGB", "sRGB"),
        (b"gAMA", "gamma"),
    ];
    let (mut at, mut found) = (8, Vec::new());
    while let Ok((name, _, end)) = chunk(bytes, at) {
        found.push(name);
        at = end;
    }
    NAMES
        .iter()
        .find(|(name, _)| found.contains(*name))
        .map(|(_, shown)| *shown)
}

/// The name and the body of the chunk at `at`, and where the next one begins.
fn chunk(bytes: &[u8], at: usize) -> Result<([u8; 4], &[u8], usize), String> {
    let cut = || format!("it breaks off at byte {at}, before its end chunk");
    let head: &[u8; 8] = bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .ok_or_else(cut)?;
    let [l3, l2, l1, l0, name @ ..] = *head;
    let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
    let shown = name.escape_ascii();
    let cut = || format!("it breaks off within its chunk {shown}, which begins at byte {at}");
    let body = bytes
        .get(at + 8..)
        .and_then(|rest| rest.get(..length))
        .ok_or_else(cut)?;
    let end = at + 12 + length;
    let sum: &[u8; 4] = bytes
        .get(end - 4..)
        .and_then(<[u8]>::first_chunk)
        .ok_or_else(cut)?;
    let mut crc = flate2::Crc::new();
    crc.update(&name);
    crc.update(body);
    if KEPT.contains(&&name) && crc.sum() != u32::from_be_bytes(*sum) {
        return Err(format!(
            "the checksum of its chunk {shown}, which begins at byte {at}, is wrong"
        ));
    }
    Ok((name, body, end))
}

fn header(file: &mut PngFile<'_>, name: [u8; 4], body: &[u8]) -> Result<(), String> {
    let &[w3, w2, w1, w0, h3, h2, h1, h0, _depth, colour, ..] = body else {
        return Err("its header breaks off".into());
    };
    if &name != b"IHDR" {
        return Err("it does not begin with its header".into());
    }
    let side = |bytes| u32::from_be_bytes(bytes) as usize;
    file.size = (side([w3, w2, w1, w0]), side([h3, h2, h1, h0]));
    file.palette = colour == 3;
    Ok(())
}
