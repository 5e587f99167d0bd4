//! Looks at the first directory of a TIFF file: how it is compressed, and whether there are further pages.
//! Unaware of samples, which a decoder reads.

/// What the first directory says.
pub(crate) struct TiffFile {
    /// Whether there is a second one.
    pub first_of_many: bool,
    /// Whether there is a colour profile.
    pub has_profile: bool,
    compression: u64,
    photometric: u64,
}

impl TiffFile {
    /// Which form of TIFF this is, if it is not read: a JPEG within TIFF may decode to other samples than libtiff's, and
    /// four colours need a profile.
    pub fn unsupported(&self) -> Option<String> {
        match (self.compression, self.photometric) {
            (6 | 7, _) => Some("a TIFF whose samples are compressed as JPEG".into()),
            (_, 5) => Some("a TIFF of four colours (CMYK)".into()),
            (_, 3) => Some("a TIFF of indexed colours".into()),
            _ => None,
        }
    }
}

/// Numbers in the byte order of the file.
struct Bytes<'a> {
    all: &'a [u8],
    little: bool,
}

impl Bytes<'_> {
    /// The number of `length` bytes (at most 8) at `at`.
    fn number(&self, at: u64, length: usize) -> Result<u64, String> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = self.all.get(at..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or("its directory breaks off")?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Ok(if self.little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }
}

/// Reads the first directory (TIFF 6.0, section 2, and `BigTIFF`). Errors: where it breaks off.
pub(crate) fn read(all: &[u8]) -> Result<TiffFile, String> {
    let bytes = Bytes {
        all,
        little: all.starts_with(b"II"),
    };
    let big = bytes.number(2, 2)? == 43;
    // Bytes of an offset, of the number of entries, and of an entry.
    let (offset, count, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
    let directory = bytes.number(offset as u64, offset)?;
    let entries = bytes.number(directory, count)?;
    let first = directory.saturating_add(count as u64);
    let mut file = TiffFile {
        first_of_many: false,
        has_profile: false,
        compression: 1,
        photometric: 1,
    };
    for n in 0..entries {
        let at = first.saturating_add(n.saturating_mul(entry));
        let value = at.saturating_add(entry - offset as u64);
        match bytes.number(at, 2)? {
            259 => file.compression = bytes.number(value, 2)?,
            262 => file.photometric = bytes.number(value, 2)?,
            34675 => file.has_profile = true,
            _ => {}
        }
    }
    let next = first.saturating_add(entries.saturating_mul(entry));
    file.first_of_many = bytes.number(next, offset).is_ok_and(|next| next != 0);
    Ok(file)
}
