//! Small helpers for the files of a stage.
//! Unaware of formats.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use spec::Job;

use super::WorkError;

/// Writes `bytes` to `path`; the folder exists.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), WorkError> {
    std::fs::write(path, bytes).map_err(|e| WorkError::io("write", path, &e))
}

/// Writes a value as indented JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WorkError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| WorkError::new(format!("cannot write `{}`: {e}", path.display()), ""))?;
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Reads a value from JSON that another stage wrote.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, WorkError> {
    let text = std::fs::read_to_string(path).map_err(|e| WorkError::io("read", path, &e))?;
    serde_json::from_str(&text).map_err(|e| {
        let message = format!("cannot read `{}`: {}", path.display(), ::files::reason(&e));
        WorkError::new(
            message,
            "it was written by another version: run its stage again with --force",
        )
    })
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
