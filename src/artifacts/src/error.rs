//! Why a file of a stage cannot be read or written, and what to do.
//! Unaware of which stage it is.

use std::io;
use std::path::{Path, PathBuf};

use files::Name;

use crate::FORMAT;

/// What is done with a file of a stage, or why it cannot be.
pub type Result<T> = std::result::Result<T, ArtifactError>;

/// What went wrong with a file that one stage hands to another.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The disk would not.
    #[error("cannot {what} `{}`: {source}", Name(path))]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("cannot read `{}`: {why}", Name(path))]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It was written by a program that knows more than this one.
    #[error(
        "cannot read `{}`: it has format {found}, and this program knows formats up to {FORMAT}",
        Name(path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

impl ArtifactError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let what = "read";
        Self::Io { what, path, source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let what = "write";
        Self::Io { what, path, source }
    }

    pub(crate) fn content(path: &Path, why: &impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// What to do; empty where the text says it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "",
            Self::Content { .. } => {
                "it was written by another version: run its stage again with --force"
            }
            Self::Newer { .. } => "install the version of pipeline that wrote it",
        }
    }
}
