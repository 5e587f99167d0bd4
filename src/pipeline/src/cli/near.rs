//! What a pipeline file that is not there may have been meant to be: one of a like name beside it, or in `pipelines/`.
//! Unaware of what is in files.

use std::path::{Path, PathBuf};

/// Names that are less alike are no suggestion.
const ALIKE: f64 = 0.85;

/// The file that was meant, if there is one.
pub fn meant(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_string_lossy().into_owned();
    let own = file.parent().unwrap_or(Path::new(""));
    let folders = [own.to_owned(), own.join("pipelines")];
    let found = folders.iter().flat_map(|folder| files_of(folder));
    let scored = found.filter_map(|path| {
        let other = path.file_name()?.to_string_lossy().into_owned();
        let score = strsim::jaro_winkler(&name, &other);
        (score >= ALIKE).then_some((score, path))
    });
    // Of equals the first: what is beside it before what is in `pipelines/`.
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, path)| path)
}

/// The pipeline files of a folder, by name.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
    let names = entries.map(|entry| folder.join(entry.file_name()));
    let is_one = |path: &PathBuf| {
        let ending = path.extension();
        ending.is_some_and(|e| e == "yaml" || e == "yml") && path.is_file()
    };
    let mut names: Vec<PathBuf> = names.filter(is_one).collect();
    names.sort_unstable();
    names
}
