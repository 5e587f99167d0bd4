//! What can go wrong in the cache, with the path and what to do about it.
//! Unaware of who asks, of stages, and of how a message is shown.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use files::{Name, write_line};

use crate::Key;

/// The result of everything that touches the cache.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An error of the cache. `Display` says what happened, [`StoreError::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full; what was committed before stays whole.
    #[error("the disk is full: cannot {doing} `{}`{}", Name(path), Amounts(*needed, *free))]
    Full {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file that could not be written.
        path: PathBuf,
        /// Bytes that this file needs, where known.
        needed: Option<u64>,
        /// Bytes free on its disk, where known.
        free: Option<u64>,
        /// What the system said.
        source: io::Error,
    },
    /// A folder or file may not be read or written by this user, or its disk is mounted read-only.
    #[error("no permission: cannot {doing} `{}`: {source}", Name(path))]
    Denied {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("cannot {doing} `{}`: {source}", Name(path))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that writes was asked of a cache that was opened for reading.
    #[error("the cache `{}` was opened for reading only", Name(root))]
    ReadOnly {
        /// The folder of the cache.
        root: PathBuf,
    },
    /// The cache was written by a program with another layout.
    #[error(
        "the cache `{}` has format `{found}`, this program reads `{expected}`",
        Name(path)
    )]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// The format found.
        found: String,
        /// The format of this program.
        expected: String,
    },
    /// A record whose bytes are not what was written.
    #[error("the record `{}` is damaged: {what}", Name(path))]
    DamagedRecord {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An output whose bytes are not what was committed.
    #[error(
        "the output `{}` is damaged: its bytes are not those of its record",
        Name(path)
    )]
    DamagedOutput {
        /// The file in the cache.
        path: PathBuf,
    },
    /// An archive that was not made by an export, was cut short, or would write where it must not.
    #[error("the archive is refused: {what}")]
    Archive {
        /// What is wrong with it.
        what: String,
    },
    /// A stage ended without all of the outputs it promised.
    #[error("missing output: {} in `{}`", Quoted(outputs), Name(folder))]
    MissingOutput {
        /// Where they should be.
        folder: PathBuf,
        /// The paths of the outputs, relative to the folder.
        outputs: Vec<String>,
    },
    /// Something that the cache cannot hold: a link to elsewhere, a socket, a name that is not UTF-8.
    #[error(
        "`{}` is {what}; the cache holds regular files, and links that stay among them",
        Name(path)
    )]
    NotRegular {
        /// The offender.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The manifest given at commit is not the one the key was made of.
    #[error("the manifest changed: it has key {found}, the ticket is for {key}")]
    ChangedManifest {
        /// The key of the ticket.
        key: Key,
        /// The key of the manifest.
        found: Key,
    },
    /// Another process works on this key.
    #[error("another process is working on {key}")]
    Busy {
        /// The key.
        key: Key,
    },
    /// There is nothing of this key to move aside.
    #[error("the cache has no outputs and no record of {key}")]
    Absent {
        /// The key.
        key: Key,
    },
    /// A file kept changing while it was read.
    #[error("`{}` changes while it is read", Name(path))]
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// The disk of the cache has no kernel locks.
    #[error("cannot lock `{}`: {source}", Name(path))]
    NoLocks {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// What the reader can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Full { .. } => "nothing was lost: free some space and run the same command again",
            Self::Denied { .. } => {
                "check the owner and mode of the folder, and that its disk is mounted for writing"
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "check the path",
            Self::Io { .. } => {
                "check the disk, then run the same command again: finished stages are kept"
            }
            Self::ReadOnly { .. } => "use a command that runs stages, such as `pipeline run`",
            Self::Format { .. } => {
                "use the program that wrote it, or move the folder aside and start a new cache"
            }
            Self::DamagedRecord { .. } => {
                "run the stage again: the damaged entry is moved to `damaged/` and kept"
            }
            Self::DamagedOutput { .. } => {
                "run `pipeline cache verify`, which moves the damaged entry to `damaged/`, then run the stage again"
            }
            Self::Archive { .. } => {
                "export it again with `pipeline cache archive`; what was imported before stays whole"
            }
            Self::MissingOutput { .. } => {
                "read the stage's log: it ended early, or wrote somewhere else"
            }
            Self::NotRegular { .. } => {
                "make the stage write or copy (`cp -L`) a regular file with a UTF-8 name there"
            }
            Self::ChangedManifest { .. } => {
                "an input changed while the stage ran: plan and run again"
            }
            Self::Busy { .. } => "wait for the other run to end, or stop it",
            Self::Absent { .. } => "run the stage first, if its result is wanted",
            Self::Unstable { .. } => "wait until nothing writes to it, then run again",
            Self::NoLocks { .. } => {
                "put the cache on a disk with file locks, a local one for instance"
            }
        }
        .to_owned()
    }

    /// What kind of failure of the system this is.
    pub(crate) fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Full { source, .. } | Self::Denied { source, .. } | Self::Io { source, .. } => {
                source.kind()
            }
            _ => io::ErrorKind::Other,
        }
    }

    /// Whether it is that a file or folder is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.io_kind() == io::ErrorKind::NotFound
    }

    /// Whether an entry of the cache is not what was written, in contrast to one that cannot be reached.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::DamagedRecord { .. } | Self::DamagedOutput { .. }
        )
    }
}

/// Turns what the system said into an error that names the path.
pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    at_sized(doing, path, None)
}

/// As [`at`], for a write of known size.
pub(crate) fn at_sized(
    doing: &'static str,
    path: &Path,
    needed: Option<u64>,
) -> impl FnOnce(io::Error) -> StoreError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    move |source| {
        let path = path.to_path_buf();
        match source.kind() {
            StorageFull | QuotaExceeded => StoreError::Full {
                doing,
                needed,
                free: crate::space::free_bytes(&path),
                path,
                source,
            },
            PermissionDenied | ReadOnlyFilesystem => StoreError::Denied {
                doing,
                path,
                source,
            },
            _ => StoreError::Io {
                doing,
                path,
                source,
            },
        }
    }
}

/// ` (3.0 MB needed, 1.2 MB free)`, as far as known.
struct Amounts(Option<u64>, Option<u64>);

impl std::fmt::Display for Amounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0, self.1) {
            (Some(needed), Some(free)) => {
                write!(f, " ({} needed, {} free)", Bytes(needed), Bytes(free))
            }
            (Some(needed), None) => write!(f, " ({} needed)", Bytes(needed)),
            (None, Some(free)) => write!(f, " ({} free)", Bytes(free)),
            (None, None) => Ok(()),
        }
    }
}

/// A count of bytes in the unit that suits it.
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scaled = |unit: f64| self.0 as f64 / unit;
        match self.0 {
            0..1_000 => write!(f, "{} bytes", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kB", scaled(1e3)),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", scaled(1e6)),
            _ => write!(f, "{:.1} GB", scaled(1e9)),
        }
    }
}

/// Names in backticks, the first few of them.
struct Quoted<'a>(&'a [String]);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 5;
        for (n, name) in self.0.iter().take(SHOWN).enumerate() {
            f.write_str(if n == 0 { "`" } else { ", `" })?;
            write_line(f, name)?;
            f.write_char('`')?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_how_much_is_needed_and_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = at_sized("write", Path::new("/weights"), Some(3_200_000))(full);
        let text = error.to_string();
        assert!(
            text.starts_with("the disk is full: cannot write `/weights` (3.2 MB needed, "),
            "{text}"
        );
        assert!(error.hint().contains("nothing was lost"));
    }

    #[test]
    fn a_name_stays_in_its_line() {
        let error =
            at("read", Path::new("a\nerror: forged\u{1b}[2J"))(io::ErrorKind::NotFound.into());
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{text}");
        assert!(text.contains(r"`a\nerror: forged\u{1b}[2J`"), "{text}");
        let error = StoreError::MissingOutput {
            folder: "o\nut".into(),
            outputs: vec!["a\r".into()],
        };
        assert_eq!(error.to_string(), r"missing output: `a\r` in `o\nut`");
    }

    #[test]
    fn many_missing_outputs_are_counted() {
        let outputs = (0..7).map(|n| format!("{n}.png")).collect();
        let error = StoreError::MissingOutput {
            folder: "out".into(),
            outputs,
        };
        let expected =
            "missing output: `0.png`, `1.png`, `2.png`, `3.png`, `4.png` and 2 more in `out`";
        assert_eq!(error.to_string(), expected);
    }
}
