//! Walks through the markers of a JPEG file (ITU T.81, annex B): its frame, its scans, its Exif segment, its end.
//! Unaware of entropy-coded data, which it only skips.

use std::collections::BTreeMap;

/// More scans over more pixels than this take too long: some files have thousands of empty ones.
const MOST_WORK: usize = 1 << 31;

/// What the markers say.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub width: usize,
    pub height: usize,
    pub components: usize,
    /// Number of scans.
    pub scans: usize,
    /// The TIFF structure of the first Exif segment.
    pub exif: Option<&'a [u8]>,
    precision: u8,
    /// Second byte of the marker that began the frame.
    frame: u8,
    /// For each component of the frame, by its identifier, how many low bits of each coefficient are still missing.
    missing: BTreeMap<u8, [Option<u8>; 64]>,
}

impl Header<'_> {
    /// Which form of JPEG this is, if it is not read.
    pub fn unsupported(&self) -> Option<String> {
        let of = match self.frame {
            0xC3 | 0xC7 | 0xCB | 0xCF => "lossless JPEG",
            0xC5 | 0xC6 | 0xCD | 0xCE => "hierarchical JPEG",
            _ => match (self.precision, self.components) {
                (8, 1 | 3) => return None,
                (8, 4) => return Some("a JPEG of four colours (CMYK)".into()),
                (8, n) => return Some(format!("a JPEG of {n} components")),
                (n, _) => return Some(format!("a JPEG of {n} bits a sample")),
            },
        };
        Some(of.into())
    }

    /// Whether the scans bring every coefficient of every component to its last bit, in a bearable number.
    pub fn check_scans(&self) -> Result<(), &'static str> {
        let work = self
            .width
            .saturating_mul(self.height)
            .saturating_mul(self.scans);
        if work > MOST_WORK {
            return Err("it has more scans than any encoder writes for this size");
        }
        if self.missing.values().flatten().all(|left| *left == Some(0)) {
            Ok(())
        } else {
            Err("it ends before its last scan: parts of the image would be made up")
        }
    }

    fn frame(&mut self, marker: u8, body: &[u8]) -> Result<(), &'static str> {
        const SHORT: &str = "its frame header breaks off";
        if self.frame != 0 {
            return Err("it has two frames");
        }
        let (head, components) = body.split_first_chunk::<6>().ok_or(SHORT)?;
        let [precision, h1, h0, w1, w0, count] = *head;
        if components.len() != 3 * usize::from(count) {
            return Err("its frame header has another length than its components need");
        }
        self.frame = marker;
        self.precision = precision;
        self.height = usize::from(u16::from_be_bytes([h1, h0]));
        self.width = usize::from(u16::from_be_bytes([w1, w0]));
        self.components = usize::from(count);
        self.missing = components
            .iter()
            .step_by(3)
            .map(|id| (*id, [None; 64]))
            .collect();
        if self.width == 0 || self.height == 0 || self.missing.len() != self.components {
            return Err("its frame header has no size, or a component twice");
        }
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), &'static str> {
        const SHORT: &str = "a scan header breaks off";
        let (&count, rest) = body.split_first().ok_or(SHORT)?;
        let (components, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(SHORT)?;
        let &[from, to, bits] = rest.first_chunk::<3>().ok_or(SHORT)?;
        // Only progressive frames divide coefficients among scans.
        let (from, to, low) = if matches!(self.frame, 0xC2 | 0xCA) {
            (usize::from(from), usize::from(to), bits & 15)
        } else {
            (0, 63, 0)
        };
        for id in components.iter().step_by(2) {
            let of = self
                .missing
                .get_mut(id)
                .ok_or("a scan names a component that is not there")?;
            let range = of
                .get_mut(from..=to.max(from))
                .ok_or("a scan names coefficients beyond 63")?;
            range.fill(Some(low));
        }
        self.scans += 1;
        Ok(())
    }
}

/// Reads to the end marker. Errors: where there is none, or no frame before the first scan.
pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, &'static str> {
    const CUT: &str = "the JPEG data end before the image does";
    let mut header = Header {
        width: 0,
        height: 0,
        components: 0,
        scans: 0,
        exif: None,
        precision: 0,
        frame: 0,
        missing: BTreeMap::new(),
    };
    let mut at = 2;
    loop {
        let &[prefix, marker] = bytes
            .get(at..at + 2)
            .and_then(<[u8]>::first_chunk)
            .ok_or(CUT)?;
        match (prefix, marker) {
            (0xFF, 0xD9) if header.scans > 0 => return Ok(header),
            (0xFF, 0xD9) => return Err("it holds no image"),
            (0xFF, 0xFF) | (0x00..=0xFE, _) => at += 1, // fill bytes and entropy-coded data
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at += 2, // a stuffed byte, or a marker without a body
            (0xFF, _) => {
                let length = bytes
                    .get(at + 2..at + 4)
                    .and_then(<[u8]>::first_chunk)
                    .ok_or(CUT)?;
                let length = usize::from(u16::from_be_bytes(*length)).max(2);
                let body = bytes.get(at + 4..at + 2 + length).ok_or(CUT)?;
                match marker {
                    0xC4 | 0xC8 | 0xCC => {}
                    0xC0..=0xCF => header.frame(marker, body)?,
                    0xDA if header.frame == 0 => return Err("a scan comes before the frame"),
                    0xDA => header.scan(body)?,
                    0xE1 if header.exif.is_none() => header.exif = body.strip_prefix(b"Exif\0\0"),
                    _ => {}
                }
                at += 2 + length;
            }
        }
    }
}
