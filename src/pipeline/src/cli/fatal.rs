//! How the program ends, and errors that end it.
//! Unaware of how they are shown.

use diagnostics::Diagnostics;
use engine::error::{Error, Fault};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A stage failed.
    Failed = 1,
    /// The command line or the pipeline file is wrong.
    Usage = 2,
    /// A table is not what `--check` expects.
    Differs = 3,
    /// A signal ended it.
    Interrupted = 130,
}

/// An error that ends the program: what is wrong, and the exit code.
#[derive(Debug)]
pub struct Fatal {
    /// What is wrong and what to do.
    pub diagnostics: Diagnostics,
    /// The exit code.
    pub exit: Exit,
}

impl Fatal {
    /// The command line or the pipeline file is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::usage(message, hint).into()
    }

    /// Something failed that was asked for rightly.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::failed(message, hint).into()
    }

    /// A picture or mask that cannot be read, with its hint apart.
    pub fn of_pixels(error: &pixels::PixelError) -> Self {
        let text = error.to_string();
        let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        Self::failed(message, hint)
    }
}

impl From<Error> for Fatal {
    fn from(error: Error) -> Self {
        let exit = match error.fault {
            Fault::Usage => Exit::Usage,
            Fault::Failed => Exit::Failed,
        };
        Self {
            diagnostics: error.diagnostics,
            exit,
        }
    }
}

impl From<store::StoreError> for Fatal {
    fn from(error: store::StoreError) -> Self {
        Error::from(error).into()
    }
}
