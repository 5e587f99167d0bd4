//! What can be wrong with a file that `torch.save` wrote.
//! Unaware of where the file is and of what it is for.

use std::io;

/// Why a file is not read, without the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error(transparent)]
    Io(io::Error),
    /// It is no checkpoint, or a damaged one.
    #[error("{0}")]
    Damaged(String),
    /// Reading it would take more memory than allowed.
    #[error("reading its pickle takes more than {most} bytes of memory")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// Two tensors have one name, or a dictionary one key twice.
    #[error("`{name}` is there twice, and which one is meant cannot be told")]
    Twice {
        /// The name.
        name: String,
    },
    /// A tensor is stored in a form that is not read.
    #[error("`{name}` is {form}, which is not read")]
    Form {
        /// The tensor.
        name: String,
        /// What it is, with its article.
        form: String,
        /// What to do about it.
        hint: &'static str,
    },
}

impl Error {
    /// With the tensor that it is about.
    pub(crate) fn about(self, name: &str) -> Self {
        match self {
            Self::Damaged(reason) => Self::Damaged(format!("`{}`: {reason}", name.escape_debug())),
            other => other,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".into()),
            // What a decoder says of the bytes, not the system.
            io::ErrorKind::InvalidData if error.raw_os_error().is_none() => {
                Self::Damaged(error.to_string())
            }
            // A decoder of the deflate format.
            io::ErrorKind::InvalidInput
                if error.raw_os_error().is_none() && error.get_ref().is_some_and(is_deflate) =>
            {
                Self::Damaged(format!("a compressed entry is damaged: {error}"))
            }
            _ => Self::Io(error),
        }
    }
}

fn is_deflate(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<flate2::DecompressError>()
}
