//! Small helpers for the files of a stage.
//! Unaware of formats.

use std::path::{Path, PathBuf};

use spec::Job;

use super::WorkError;

/// Writes `bytes` to `path`; the folder exists.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), WorkError> {
    std::fs::write(path, bytes).map_err(|e| WorkError::io("write", path, &e))
}

/// Makes a folder.
pub(super) fn make_folder(path: PathBuf) -> Result<PathBuf, WorkError> {
    std::fs::create_dir_all(&path).map_err(|e| WorkError::io("create", &path, &e))?;
    Ok(path)
}

/// The folder of an input.
pub(super) fn input<'j>(job: &'j Job, role: &str) -> Result<&'j Path, WorkError> {
    let folder = job.inputs.get(role).map(PathBuf::as_path);
    folder.ok_or_else(|| {
        WorkError::new(
            format!("the job has no input `{role}`"),
            "this is a defect of pipeline",
        )
    })
}
