//! JSON files of stages, and their format number.
//! Unaware of what is in them.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{ArtifactError, FORMAT, Result};

/// A longer file is none of a stage's.
const MOST: u64 = 1 << 30;

#[derive(Deserialize)]
struct Header {
    #[serde(default = "first")]
    format: u32,
}

const fn first() -> u32 {
    1
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = files::read(path, MOST).map_err(|e| ArtifactError::read(path, e))?;
    let wrong = |e: serde_json::Error| ArtifactError::content(path, &files::reason(&e));
    let Header { format } = serde_json::from_slice(&bytes).map_err(wrong)?;
    if format > FORMAT {
        let path = path.to_owned();
        return Err(ArtifactError::Newer {
            path,
            found: format,
        });
    }
    serde_json::from_slice(&bytes).map_err(wrong)
}

/// Indented, with an end of line behind.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |e: serde_json::Error| ArtifactError::write(path, e.into());
    let mut bytes = serde_json::to_vec_pretty(value).map_err(failed)?;
    bytes.push(b'\n');
    std::fs::write(path, bytes).map_err(|e| ArtifactError::write(path, e))
}
