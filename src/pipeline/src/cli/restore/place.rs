//! The folder that restored photographs go to: made where it is not there, and taken away where nothing came to lie in it.
//! Unaware of what is written to it.

use std::path::{Path, PathBuf};

use crate::cli::Fatal;
use crate::cli::ask::cannot;

/// The folders that were made, the deepest first.
pub struct Place(Vec<PathBuf>);

impl Place {
    /// `out`, and the folders above it that are not there either.
    pub fn new(out: &Path) -> Result<Self, Fatal> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing = out.ancestors().take_while(is_missing);
        let place = Self(missing.map(Path::to_owned).collect());
        std::fs::create_dir_all(out).map_err(|e| cannot("create", out, &e))?;
        Ok(place)
    }
}

impl Drop for Place {
    /// A folder with something in it is not removed, nor is any above it.
    fn drop(&mut self) {
        let _ = self.0.iter().try_for_each(std::fs::remove_dir);
    }
}
