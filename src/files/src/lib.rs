//! Opens files that somebody else named: only regular ones, and only as many bytes as the caller can use. Finds those that a
//! path of a pipeline file stands for. Unaware of what is in them.
//!
//! A name may lead to a FIFO (which waits for ever), to a device (which never ends) or to a file that somebody goes on
//! appending to. Every reader of a path that a user, a pipeline file or another program could have put there goes
//! through [`open`] or one of its two short forms.

mod chosen;
mod data;
mod name;
mod pattern;

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

pub use chosen::{
    Below, Chosen, Found, IGNORED, Ignored, Lost, Root, Step, Walk, below, fitting, is_cache,
};
pub use data::Data;
pub use name::{Name, write_line};
pub use pattern::Pattern;

/// Opens a regular file for reading; links are followed.
///
/// # Errors
/// As [`File::open`], and [`io::ErrorKind::InvalidInput`] with [`NotRegular`] inside where the path leads to something
/// else. Such a thing is never read, and no FIFO without a writer is waited for.
pub fn open(path: &Path) -> io::Result<File> {
    // Asked before opening, because opening alone can have an effect on a device; asked again behind, because the name
    // may lead elsewhere by then.
    check(&std::fs::metadata(path).map_err(|e| absent(path, e))?)?;
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens a regular file for writing past the kernel's page cache (`O_DIRECT`): whole pages of the file from whole pages of memory.
///
/// # Errors
/// As [`open`], and where its disk has no such way.
pub fn open_direct(path: &Path) -> io::Result<File> {
    check(&std::fs::metadata(path).map_err(|e| absent(path, e))?)?;
    let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let file = File::options()
        .write(true)
        .custom_flags(direct)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file for writing too, or makes it, as `options` say; what is there must be a regular file.
///
/// # Errors
/// As [`open`].
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    if let Ok(meta) = std::fs::metadata(path) {
        check(&meta)?;
    }
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = options.custom_flags(nonblocking).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// The end of a regular file: at most its last `limit` bytes.
///
/// # Errors
/// As [`open`].
pub fn read_end(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let begin = file.metadata()?.len().saturating_sub(limit);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], and [`io::ErrorKind::FileTooLarge`] with [`TooLarge`] inside, before more than `limit` bytes are held.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One byte more than allowed tells a file that grew meanwhile from one that is just as large as it may be.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// As [`read`], for UTF-8.
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] with [`NotUtf8`] inside for other bytes.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let bytes = read(path, limit)?;
    let other = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    if let Some(encoding) = wide_encoding(&bytes) {
        return Err(other(NotUtf8::Wide { encoding }));
    }
    String::from_utf8(bytes).map_err(|error| {
        let (valid, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = bytes[..valid].split(|byte| *byte == b'\n').count();
        other(NotUtf8::Byte {
            byte: bytes[valid],
            line,
        })
    })
}

/// The encoding of two or four bytes a character that bytes are in, by their mark or by the zeros of a first character
/// of ASCII.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    let (first, second) = (bytes.first_chunk::<4>(), bytes.first_chunk::<2>());
    match (first, second) {
        (Some([0xff, 0xfe, 0, 0] | [1..=255, 0, 0, 0]), _) => Some("UTF-32 (little-endian)"),
        (Some([0, 0, 0xfe, 0xff] | [0, 0, 0, 1..=255]), _) => Some("UTF-32 (big-endian)"),
        (_, Some([0xff, 0xfe] | [1..=255, 0])) => Some("UTF-16 (little-endian)"),
        (_, Some([0xfe, 0xff] | [0, 1..=255])) => Some("UTF-16 (big-endian)"),
        _ => None,
    }
}

/// Whether a path that leads nowhere was meant as a pattern, which only a shell expands. A name such as
/// `tuned[alpha=0.5].pth` was not.
#[must_use]
pub fn is_pattern(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let between = |open, close| {
        let (_, behind) = text.split_once(open)?;
        Some(behind.split_once(close)?.0)
    };
    text.contains(['*', '?'])
        || between('[', ']').is_some_and(|class| !class.is_empty() && !class.contains('='))
        || between('{', '}').is_some_and(|names| names.contains(','))
}

/// What is said of such a path behind its name, wherever one is taken.
pub const NOT_EXPANDED: &str = "is a pattern, and none is expanded here";

/// Whether reading failed because the path was meant as a pattern.
#[must_use]
pub fn was_pattern(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|why| why.downcast_ref::<WasPattern>())
        .is_some()
}

/// What a parser says of a file without the words of the file: a text behind `"` or a backtick becomes `…`. Names that
/// were expected stand behind the word and stay. A file may be another one than was meant, a list of passwords say, and an
/// error is shown and kept in logs.
#[must_use]
pub fn reason(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let (about, expected) = match text.rfind(", expected ") {
        Some(at) => text.split_at(at),
        // A name that is missing is one that was expected.
        None if text.starts_with("missing field ") => ("", text.as_str()),
        None => (text.as_str(), ""),
    };
    let mut out = String::new();
    let mut rest = about;
    while let Some(begin) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(begin);
        let quote = &quoted[..1];
        // The last one of its kind closes it: the text itself may hold some.
        let end = quoted.rfind(quote).filter(|end| *end > 0);
        out += before;
        out += quote;
        out.push('…');
        out += quote;
        rest = end.map_or("", |end| &quoted[end + 1..]);
    }
    out + rest + expected
}

/// Why a path leads nowhere.
fn absent(path: &Path, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && is_pattern(path) {
        io::Error::new(io::ErrorKind::NotFound, WasPattern)
    } else {
        error
    }
}

fn check(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() {
        return Ok(());
    }
    let kind = meta.file_type();
    let what = if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        NotRegular { what },
    ))
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, TooLarge { limit })
}

/// The path leads nowhere, and looks like a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WasPattern;

impl fmt::Display for WasPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it {NOT_EXPANDED}")
    }
}

impl std::error::Error for WasPattern {}

/// The path leads to something that is not a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRegular {
    /// What it is, with its article: `a FIFO`.
    pub what: &'static str,
}

impl fmt::Display for NotRegular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}, not a regular file", self.what)
    }
}

impl std::error::Error for NotRegular {}

/// The file is not the one that a plan was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAsPlanned {
    /// No file of this path was planned with.
    Unknown,
    /// It has another length.
    Size {
        /// Bytes that it had.
        planned: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// It has as many bytes, and others.
    Bytes {
        /// The digest that they had, in hex.
        planned: String,
        /// The digest that they have, in hex.
        found: String,
    },
}

impl NotAsPlanned {
    /// What to do.
    pub const HINT: &str = "run again, which plans with the files as they are now, and keep other programs from changing them meanwhile";

    /// Whether reading failed for this.
    #[must_use]
    pub fn is_why(error: &io::Error) -> bool {
        error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

impl fmt::Display for NotAsPlanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "it came after the plan was made, and is not in the key"),
            Self::Size { planned, found } => {
                write!(
                    f,
                    "it changed since it was planned with: it had {planned} bytes, and has {found}"
                )
            }
            Self::Bytes { planned, found } => write!(
                f,
                "it changed since it was planned with: its BLAKE3 was {planned:.12}…, and is {found:.12}…"
            ),
        }
    }
}

impl std::error::Error for NotAsPlanned {}

/// The file is no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotUtf8 {
    /// It is in an encoding of wider characters.
    Wide {
        /// Which.
        encoding: &'static str,
    },
    /// A byte has no place in UTF-8.
    Byte {
        /// The byte.
        byte: u8,
        /// Its line, from 1.
        line: usize,
    },
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wide { encoding } => write!(f, "it is in {encoding}, and UTF-8 is read"),
            Self::Byte { byte, line } => {
                write!(f, "it is not in UTF-8: byte 0x{byte:02x} in line {line}")?;
                // A letter there says which encoding it was, and helps to find the place.
                let letter = char::from(*byte);
                if letter.is_alphabetic() {
                    write!(f, ", which is `{letter}` in Latin-1")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for NotUtf8 {}

/// The file is larger than its reader can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The most bytes that would have been read.
    pub limit: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is larger than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_opened_past_the_page_cache_is_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [1; 8192]).unwrap();
        let file = match open_direct(&path) {
            Ok(file) => file,
            // Disks in memory have no such way in older kernels.
            Err(e) => return println!("skipped: past the page cache: {e}"),
        };
        let is_direct = |file: &File| {
            let flags = rustix::fs::fcntl_getfl(file).unwrap();
            flags.contains(rustix::fs::OFlags::DIRECT)
        };
        assert!(is_direct(&file));
        assert!(!is_direct(&open(&path).unwrap()));
        assert!(open_direct(folder.path()).is_err(), "a folder");
    }

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read_to_string(&path, 3).unwrap(), "abc");
        let error = read(&path, 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it is larger than 2 bytes");
        assert_eq!(read_end(&path, 2).unwrap(), b"bc");
        assert_eq!(read_end(&path, 9).unwrap(), b"abc");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(
            read_to_string(&path, 9).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn reasons_leave_out_what_the_file_says() {
        for (said, shown) in [
            (
                "expected value at line 1 column 1",
                "expected value at line 1 column 1",
            ),
            (
                "invalid type: string \"hun\"ter, 2\", expected u32 at line 3 column 7",
                "invalid type: string \"…\", expected u32 at line 3 column 7",
            ),
            (
                "unknown field `to`ken`, expected one of `a`, `b`",
                "unknown field `…`, expected one of `a`, `b`",
            ),
            ("integer `17", "integer `…`"),
            (
                "missing field `annotations` at line 1 column 13",
                "missing field `annotations` at line 1 column 13",
            ),
        ] {
            assert_eq!(reason(&said), shown);
        }
    }

    #[test]
    fn a_pattern_that_leads_nowhere_is_called_one() {
        for pattern in ["a/*.png", "a?", "[ab].png", "x[0-9]", "{a,b}.png"] {
            let error = open(Path::new(pattern)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(
                error.to_string(),
                "it is a pattern, and none is expanded here"
            );
        }
        for name in ["a.png", "tuned[alpha=0.5].pth", "a[", "{a}", "[]"] {
            assert!(!is_pattern(Path::new(name)), "{name}");
        }
        // A file may be called so.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a*");
        std::fs::write(&path, "x").unwrap();
        assert!(open(&path).is_ok());
    }

    #[test]
    fn other_encodings_are_named_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_to_string(&path, 99).map_err(|error| error.to_string())
        };
        let latin = "it is not in UTF-8: byte 0xe9 in line 2, which is `é` in Latin-1";
        assert_eq!(told(b"a: 1\n# caf\xe9\n").unwrap_err(), latin);
        assert_eq!(
            told(b"\x80").unwrap_err(),
            "it is not in UTF-8: byte 0x80 in line 1"
        );
        for (bytes, encoding) in [
            (&b"\xff\xfea\0"[..], "UTF-16 (little-endian)"),
            (b"\xfe\xff\0a", "UTF-16 (big-endian)"),
            (b"a\0:\0", "UTF-16 (little-endian)"),
            (b"\0a\0:", "UTF-16 (big-endian)"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32 (little-endian)"),
            (b"\0\0\xfe\xff\0\0\0a", "UTF-32 (big-endian)"),
        ] {
            let error = told(bytes).unwrap_err();
            assert_eq!(error, format!("it is in {encoding}, and UTF-8 is read"));
        }
        for text in ["", "a", "\u{feff}a: 1", "é: 1"] {
            assert_eq!(told(text.as_bytes()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn nothing_else_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        for path in [fifo.as_path(), &link, Path::new("/dev/zero")] {
            let error = open(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
            assert!(error.to_string().contains("not a regular file"));
            assert!(open_with(File::options().write(true), path).is_err());
            assert!(open_with(File::options().append(true), path).is_err());
        }
        let error = open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let error = open(&folder.path().join("none")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
