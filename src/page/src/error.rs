//! What can go wrong with a page.
//! Unaware of who is told.

use std::io;
use std::path::PathBuf;

use artifacts::ArtifactError;

/// What went wrong with the page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file that a stage wrote cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The same of a picture or masks.
    #[error(transparent)]
    Pixels(#[from] pixels::PixelError),
    /// A file cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file of the page cannot be written.
    #[error("cannot write `{name}`: {source}")]
    Write {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl PageError {
    /// Whether it is of a file of the page, and of none that is shown.
    pub(crate) const fn is_of_page(&self) -> bool {
        matches!(self, Self::Write { .. })
    }
}
