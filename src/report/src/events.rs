//! `TensorBoard`'s event files, as other tools import them: scalars over steps, and images.
//! Unaware of trainings and of where the file lies.
//!
//! ```text
//!   a file:    records, the first with `file_version: "brain.Event:2"`
//!   a record:  length (8 bytes, little endian), its masked CRC-32C (4), the event, its masked CRC-32C (4)
//!   an event:  protobuf: 1 wall_time (double), 2 step (varint), 3 file_version (text), 5 summary
//!   a summary: 1 value: 1 tag (text), 2 simple_value (float), 4 image
//!   an image:  1 height, 2 width, 3 colorspace (3: RGB), 4 encoded_image_string (the PNG)
//! ```
//!
//! Sources: `tensorflow/core/util/event.proto`, `framework/summary.proto`, `lib/io/record_writer.cc`.

/// A number of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scalar<'a> {
    /// The series: `loss`, `psnr/validation`.
    pub tag: &'a str,
    /// Where on its axis.
    pub step: u64,
    /// The value.
    pub value: f64,
    /// Seconds since 1970, UTC.
    pub time: f64,
}

/// A picture of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Image<'a> {
    /// The series: `score/house/restored`.
    pub tag: &'a str,
    /// Where on its axis.
    pub step: u64,
    /// The file.
    pub png: &'a [u8],
    /// Width and height in pixels.
    pub size: (usize, usize),
    /// Seconds since 1970, UTC.
    pub time: f64,
}

/// The bytes of an event file.
pub fn file<'a>(
    begun: f64,
    scalars: impl IntoIterator<Item = Scalar<'a>>,
    images: impl IntoIterator<Item = Image<'a>>,
) -> Vec<u8> {
    let mut version = double(1, begun);
    version.extend(bytes(3, b"brain.Event:2"));
    let mut out = record(&version);
    for scalar in scalars {
        let mut value = vec![2 << 3 | 5];
        value.extend((scalar.value as f32).to_le_bytes());
        let event = event(scalar.tag, scalar.step, scalar.time, &value);
        out.extend(record(&event));
    }
    for image in images {
        let (width, height) = image.size;
        let mut picture = number(1, height as u64);
        picture.extend(number(2, width as u64));
        picture.extend(number(3, 3));
        picture.extend(bytes(4, image.png));
        let event = event(image.tag, image.step, image.time, &bytes(4, &picture));
        out.extend(record(&event));
    }
    out
}

/// An event with one value.
fn event(tag: &str, step: u64, time: f64, content: &[u8]) -> Vec<u8> {
    let value = [bytes(1, tag.as_bytes()), content.to_vec()].concat();
    let mut event = double(1, time);
    event.extend(number(2, step));
    event.extend(bytes(5, &bytes(1, &value)));
    event
}

/// A field with a whole number.
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    out.extend(varint(value));
    out
}

/// A field of eight bytes.
fn double(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(value.to_le_bytes());
    out
}

/// A field with its length before it: a text, bytes, or a message.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    out.extend(varint(content.len() as u64));
    out.extend(content);
    out
}

/// Seven bits a byte, the lowest first; all but the last byte have the eighth.
fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked(&length).to_le_bytes(),
        data,
        &masked(data).to_le_bytes(),
    ];
    parts.concat()
}

/// A checksum of bytes that may hold checksums: turned, and moved by a constant.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let low = rest & 1;
            rest >>= 1;
            if low == 1 {
                rest ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
}

fn crc32c(data: &[u8]) -> u32 {
    let next = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !data.iter().fold(!0, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C, and two of RFC 3720, B.4.
    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// Put together by another program from the format's description; `TensorBoard`'s reader takes them.
    #[test]
    fn a_file_has_these_bytes() {
        let scalar = Scalar {
            tag: "loss",
            step: 300,
            value: 0.5,
            time: 2.0,
        };
        let found = file(1.0, [scalar], []);
        let digits = |text: String, byte: &u8| text + &format!("{byte:02x}");
        let hex = found.iter().fold(String::new(), digits);
        let version = "09000000000000f03f1a0d627261696e2e4576656e743a32";
        let event = "09000000000000004010ac022a0d0a0b0a046c6f7373150000003f";
        assert!(hex.contains(version) && hex.contains(event), "{hex}");
        assert_eq!(hex, GOLDEN);
    }

    const GOLDEN: &str = "\
        1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a1b00000000000000\
        1a0d9e1309000000000000004010ac022a0d0a0b0a046c6f7373150000003fdfc52b60";

    #[test]
    fn numbers_take_as_few_bytes_as_they_can() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [127]);
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(varint(u64::MAX).len(), 10);
    }
}
