//! What the engine has to say beside its results, for whoever shows it.
//! Unaware of how it is shown.

use diagnostics::Diagnostic;

/// Takes notices: warnings, notes, and errors that do not end what is being done.
pub type Tell = dyn Fn(&Diagnostic) + Send + Sync;
