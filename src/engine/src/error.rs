//! Why something that was asked of the engine was not done.
//! Unaware of how a program ends, and of where errors are shown.

use store::StoreError;

/// Whose turn it is to mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request or the pipeline file is wrong.
    Usage,
    /// What was asked for rightly has failed.
    Failed,
}

/// An error with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of error it is.
    pub fault: Fault,
    /// What is wrong; several lines where a file is shown.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

impl Error {
    /// The request or the pipeline file is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            fault: Fault::Usage,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Something failed that was asked for rightly.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            fault: Fault::Failed,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::failed(error.to_string(), error.hint())
    }
}
