//! Writes what a command makes to the file that `-o` names: nothing that somebody else has written is replaced unasked, and
//! neither pipeline files nor the cache are written to at all.
//! Unaware of what is written, but for how a former one is told.
//!
//! ```text
//!   FILE ── in a cache, or a pipeline file? ──> refused
//!       └── there, and not what this command writes? ── --overwrite? ──> written beside, renamed
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use engine::root;

use super::{Fatal, print, say};

/// Where a text goes.
pub struct Delivery<'a> {
    /// The file; standard output where none is named.
    pub file: Option<&'a Path>,
    /// Whether a file that somebody else has written is replaced.
    pub overwrite: bool,
    /// The pipeline files that were read.
    pub sources: &'a [PathBuf],
    /// Whether a text is what this command writes, of whatever pipeline or version.
    pub is_former: &'a dyn Fn(&str) -> bool,
}

impl Delivery<'_> {
    /// Writes the text to the file and says so, or prints it.
    pub fn deliver(&self, text: &str) -> Result<(), Fatal> {
        let Some(file) = self.file else {
            print(text);
            return Ok(());
        };
        check_place(file, self.sources)?;
        if !self.overwrite && !self.is_former_or_free(file) {
            return Err(Fatal::usage(
                format!(
                    "`{}` is there already and holds something else",
                    files::Name(file)
                ),
                "name another file, or replace it with --overwrite",
            ));
        }
        store::write_atomic(file, text.as_bytes())?;
        say(&format!("wrote {}", file.display()));
        Ok(())
    }

    fn is_former_or_free(&self, file: &Path) -> bool {
        if fs::symlink_metadata(file).is_err() {
            return true;
        }
        let former = files::read_to_string(file, MOST);
        former.is_ok_and(|text| text.is_empty() || (self.is_former)(&text))
    }
}

/// Longer files are none that a command wrote.
const MOST: u64 = 1 << 30;

/// An error for what no option allows: a pipeline file, a file in a cache, and what is no file.
pub fn check_place(file: &Path, sources: &[PathBuf]) -> Result<(), Fatal> {
    let name = files::Name(file);
    let refused = |what: &str| {
        Err(Fatal::usage(
            format!("`{name}` {what}"),
            "name another file",
        ))
    };
    let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = full.parent().unwrap_or(Path::new("/"));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if folder.ancestors().any(root::is_cache) {
        return refused("lies in the cache, which belongs to pipeline");
    }
    match fs::metadata(file) {
        Ok(meta) if !meta.is_file() => return refused("is there and is not a regular file"),
        Ok(_) => {}
        Err(_) => return Ok(()),
    }
    let real = |path: &Path| path.canonicalize().ok();
    let is_source = sources.iter().any(|source| real(source) == real(file));
    let ending = file.extension().and_then(|ending| ending.to_str());
    if is_source || matches!(ending, Some("yaml" | "yml")) {
        return refused("is a pipeline file, which is never replaced");
    }
    Ok(())
}
