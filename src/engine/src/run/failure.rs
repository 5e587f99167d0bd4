//! Why a stage failed, and what may be tried next.
//! Unaware of who computed it.

use diagnostics::Diagnostic;
use spec::FailureReport;
use store::StoreError;

/// Why a stage failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What happened and what to do.
    pub report: FailureReport,
    /// Where its full output lies.
    pub log: Option<std::path::PathBuf>,
    /// What to do before the stage is tried once more, where the fault may not be its own.
    pub again: Option<Again>,
}

/// How a stage is tried again whose inputs were not what they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Input stages whose results are made again first.
    pub inputs: Vec<usize>,
    /// Whether the stage then reads copies of its own.
    pub own_copies: bool,
}

impl Failure {
    /// A failure with a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let report = FailureReport {
            what: Box::new(Diagnostic::error("stage", message, hint)),
            ..FailureReport::default()
        };
        Self {
            report,
            ..Self::default()
        }
    }

    /// The failure of a stage that was asked to stop.
    pub(super) fn interrupted() -> Self {
        let mut failure = Self::new("interrupted", "");
        failure.report.interrupted = true;
        failure
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let mut failure = Self::new(error.to_string(), error.hint());
        failure.report.what.code = "cache".into();
        failure
    }
}
