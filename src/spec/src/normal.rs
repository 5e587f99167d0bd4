//! Paths by their text alone.
//! Unaware of the file system: a link on the way is not followed.

use std::path::{Component, Path, PathBuf};

/// The path without `.` and `..`, by its text.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
