//! ZIP archives, written byte by byte, so that a test may write wrong ones.
//! Unaware of what is in them.

#![allow(
    dead_code,
    reason = "each test that includes this file uses a part of it"
)]

/// An entry of an archive: name, how it is compressed, bytes as they lie, bytes unpacked.
pub struct Entry<'a> {
    pub name: &'a str,
    pub method: u16,
    pub packed: Vec<u8>,
    pub content: &'a [u8],
}

pub fn stored<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry {
        name,
        method: 0,
        packed: content.to_vec(),
        content,
    }
}

pub fn deflated<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    Entry {
        name,
        method: 8,
        packed: encoder.finish().unwrap(),
        content,
    }
}

/// A ZIP archive of these entries.
pub fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = bytes.len() as u32;
        let mut crc = flate2::Crc::new();
        crc.update(entry.content);
        let mut fields = vec![20, 0, 0, 0];
        fields.extend(entry.method.to_le_bytes());
        fields.extend([0; 4]);
        fields.extend(crc.sum().to_le_bytes());
        fields.extend((entry.packed.len() as u32).to_le_bytes());
        fields.extend((entry.content.len() as u32).to_le_bytes());
        fields.extend((entry.name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        bytes.extend(
            [
                b"PK\x03\x04",
                fields.as_slice(),
                entry.name.as_bytes(),
                &entry.packed,
            ]
            .concat(),
        );
        directory.extend([b"PK\x01\x02\x14\x00", fields.as_slice(), &[0; 10]].concat());
        directory.extend(at.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let start = (bytes.len() as u32).to_le_bytes();
    let length = (directory.len() as u32).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &count,
        &count,
        &length,
        &start,
        &[0, 0],
    ];
    [bytes, directory, end.concat()].concat()
}
