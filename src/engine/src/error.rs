//! Why something that was asked of the engine was not done.
//! Unaware of how a program ends, and of where errors are shown.

use diagnostics::{Diagnostic, Diagnostics};
use store::StoreError;

/// Whose turn it is to mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request or the pipeline file is wrong.
    Usage,
    /// What was asked for rightly has failed.
    Failed,
}

/// What is wrong, and whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of error it is.
    pub fault: Fault,
    /// What is wrong and what to do.
    pub diagnostics: Diagnostics,
}

impl Error {
    /// The request or the pipeline file is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            fault: Fault::Usage,
            diagnostics: Diagnostic::error("usage", message, hint).into(),
        }
    }

    /// Something failed that was asked for rightly.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            fault: Fault::Failed,
            diagnostics: Diagnostic::error("failed", message, hint).into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self {
            fault: Fault::Failed,
            diagnostics: Diagnostic::error("cache", error.to_string(), error.hint()).into(),
        }
    }
}

/// Of a pipeline file.
impl From<Diagnostics> for Error {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            fault: Fault::Usage,
            diagnostics,
        }
    }
}
