//! What the engine has to say beside its results, for whoever shows it.
//! Unaware of how it is shown.

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something went wrong, and the rest goes on.
    Error,
    /// Something may not be as it was meant.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// As it stands before a text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Takes notices.
pub type Tell = dyn Fn(Level, &str) + Send + Sync;
