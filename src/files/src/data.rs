//! The bytes of a file as something that is read at explicit places: on the disk still, or in memory since they were read
//! once. Unaware of what is in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The bytes of a file.
#[derive(Debug)]
pub enum Data {
    /// An open file: other programs may write to it between two reads.
    File(File),
    /// What was read of it, once.
    Memory(Vec<u8>),
}

impl Data {
    /// How many bytes there are.
    ///
    /// # Errors
    /// Where the file does not say.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// As many bytes from `at` as the buffer takes and are there; none behind the end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, at),
            Self::Memory(bytes) => {
                let begin = usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
                let there = &bytes[begin..];
                let length = there.len().min(buffer.len());
                buffer[..length].copy_from_slice(&there[..length]);
                Ok(length)
            }
        }
    }

    /// The bytes from `at` that fill the buffer.
    ///
    /// # Errors
    /// As [`Data::read_at`], and [`io::ErrorKind::UnexpectedEof`] where there are fewer.
    pub fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, at),
            Self::Memory(_) if self.read_at(buffer, at)? == buffer.len() => Ok(()),
            Self::Memory(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl From<File> for Data {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn memory_reads_as_the_file_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abcdef").unwrap();
        let both = [
            Data::from(File::open(&path).unwrap()),
            Data::from(b"abcdef".to_vec()),
        ];
        for data in both {
            assert_eq!(data.length().unwrap(), 6);
            for (at, length, expected) in [
                (0, 3, &b"abc"[..]),
                (4, 3, b"ef"),
                (6, 1, b""),
                (1 << 40, 2, b""),
                (2, 0, b""),
            ] {
                let mut buffer = vec![0; length];
                let read = data.read_at(&mut buffer, at).unwrap();
                assert_eq!(&buffer[..read], expected);
                let whole = data.read_exact_at(&mut buffer, at);
                assert_eq!(whole.is_ok(), expected.len() == length, "{at} {length}");
            }
        }
    }
}
