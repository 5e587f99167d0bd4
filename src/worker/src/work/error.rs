//! Why a stage failed: what, where, and what to do.
//! Unaware of stages.

use std::path::Path;

use diagnostics::Diagnostic;
use spec::FailureReport;

use crate::nn::checkpoint::CheckpointError;

/// The hint that goes with a full disk.
const FULL: &str =
    "free some space and run the same command again; nothing that was finished is lost";

/// An error of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkError(FailureReport);

impl WorkError {
    /// An error with a hint, which may be empty.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(FailureReport {
            what: Box::new(Diagnostic::error("stage", message, hint)),
            ..FailureReport::default()
        })
    }

    /// The stage was asked to stop and did, where it can go on.
    pub fn interrupted(at: impl Into<String>) -> Self {
        let mut error = Self::new(at, "");
        error.0.interrupted = true;
        error
    }

    /// What a panic was that was caught.
    pub fn of_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::from_panic(text.unwrap_or("no message"))
    }

    /// What a panic said; libtorch's own stack trace is left to the log.
    pub fn from_panic(text: &str) -> Self {
        let start = text.find("Torch(\"").map_or(text, |i| &text[i + 7..]);
        let readable = start
            .split("Exception raised")
            .next()
            .unwrap_or(start)
            .replace("\\n", "\n");
        let readable = readable
            .lines()
            .find(|l| !l.trim().is_empty())
            .unwrap_or("no message")
            .trim()
            .to_owned();
        // The libraries under libtorch take memory beside its own, and say so in their way.
        let of_library = ["CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"];
        let of_library = of_library.iter().any(|text| readable.contains(text));
        let is_short = ["out of memory", "not enough memory"];
        if of_library || is_short.iter().any(|text| readable.contains(text)) {
            let hint = "use a device with more memory; for a training lower `batch` or `patch`";
            let mut error = Self::new(format!("memory ran out: {readable}"), hint);
            error.0.out_of_gpu_memory = of_library || readable.contains("CUDA");
            return error;
        }
        Self::new(
            format!("libtorch error: {readable}"),
            "the log has the whole message",
        )
    }

    /// An error of reading or writing `path`.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        let hint = if error.kind() == std::io::ErrorKind::StorageFull {
            FULL
        } else {
            ""
        };
        Self::new(
            format!("cannot {what} `{}`: {error}", ::files::Name(path)),
            hint,
        )
    }

    /// The same, with what it is about before it.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        let message = &mut self.0.what.message;
        *message = format!("{what}: {message}");
        self
    }

    /// An error of a library, whose text may end in a hint.
    pub(super) fn from_library(error: &(dyn std::error::Error + 'static)) -> Self {
        let (message, hint) = split_hint(&error.to_string());
        let hint = if storage_full(error) {
            FULL.to_owned()
        } else {
            hint
        };
        Self::new(message, hint)
    }

    /// Whether it stopped because it was asked to.
    pub const fn is_interruption(&self) -> bool {
        self.0.interrupted
    }

    /// Whether a GPU's memory was too small.
    pub const fn is_out_of_gpu_memory(&self) -> bool {
        self.0.out_of_gpu_memory
    }

    /// For the last event.
    pub fn report(self) -> FailureReport {
        self.0
    }
}

impl std::fmt::Display for WorkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.what.message)
    }
}

impl std::error::Error for WorkError {}

/// Splits a message that carries its hint on a line of its own, as those of `pixels` and of checkpoints do.
fn split_hint(text: &str) -> (String, String) {
    match text
        .split_once("\nhint: ")
        .or_else(|| text.split_once("\n  hint: "))
    {
        Some((message, hint)) => (message.to_owned(), hint.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// Whether a disk is full somewhere down the chain of causes.
fn storage_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<pixels::PixelError> for WorkError {
    fn from(error: pixels::PixelError) -> Self {
        Self::from_library(&error)
    }
}

impl From<CheckpointError> for WorkError {
    fn from(error: CheckpointError) -> Self {
        Self::from_library(&error)
    }
}

impl From<artifacts::ArtifactError> for WorkError {
    fn from(error: artifacts::ArtifactError) -> Self {
        match &error {
            artifacts::ArtifactError::Io { what, path, source } => Self::io(what, path, source),
            _ => Self::new(error.to_string(), error.hint()),
        }
    }
}

impl From<store::StoreError> for WorkError {
    fn from(error: store::StoreError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}
