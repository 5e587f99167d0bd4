//! Looks at the files outside that stages name, and digests them.
//! Unaware of keys; a file that cannot be read is a finding, not an error.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use spec::Kind;
use store::{Digest, Store};

use crate::plan::{Listing, Outside};

/// What each outside path of the stages holds.
pub fn gather<'a>(kinds: impl Iterator<Item = &'a Kind>, store: &Store) -> Outside {
    let mut wanted: BTreeMap<(Listing, PathBuf), Vec<String>> = BTreeMap::new();
    let mut outside = Outside::new();
    for kind in kinds {
        for (field, path) in kind.outside() {
            let at = (Listing::of(kind, field), path.into_owned());
            if wanted.contains_key(&at) || outside.contains_key(&at) {
                continue;
            }
            match names(at.0, field, &at.1) {
                Ok(names) => drop(wanted.insert(at, names)),
                Err(why) => drop(outside.insert(at, Err(why))),
            }
        }
    }
    let found = wanted.into_iter().map(|(at, names)| {
        let found = digests(store, &at.1, names);
        (at, found)
    });
    outside.extend(found);
    outside
}

/// The names of the files below `path` that are read; one empty name for a file.
fn names(listing: Listing, field: &str, path: &Path) -> Result<Vec<String>, String> {
    let file = || {
        if path.is_file() {
            Ok(vec![String::new()])
        } else {
            Err(format!("there is no file `{}` ({field})", path.display()))
        }
    };
    match listing {
        Listing::ImagesIfPresent if !path.exists() => Ok(Vec::new()),
        Listing::Images | Listing::ImagesIfPresent => image_names(path),
        Listing::Masks => mask_names(path),
        Listing::All if path.is_dir() => all_names(path),
        Listing::File | Listing::All => file(),
    }
}

fn image_names(folder: &Path) -> Result<Vec<String>, String> {
    let images = pixels::list_images(folder).map_err(|e| e.to_string())?;
    let name = |p: &PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
    Ok(images.iter().filter_map(name).collect())
}

/// PNG and JSON files in the folder and one level below.
fn mask_names(folder: &Path) -> Result<Vec<String>, String> {
    let list = |at: &Path| -> Result<Vec<PathBuf>, String> {
        let entries =
            std::fs::read_dir(at).map_err(|e| format!("cannot read `{}`: {e}", at.display()))?;
        Ok(entries.filter_map(Result::ok).map(|e| e.path()).collect())
    };
    let mut names = Vec::new();
    for path in list(folder)? {
        let files = if path.is_dir() {
            list(&path)?
        } else {
            vec![path]
        };
        let masks = files
            .iter()
            .filter(|f| f.extension().is_some_and(|e| e == "png" || e == "json"));
        let relative = masks.filter_map(|f| f.strip_prefix(folder).ok());
        names.extend(relative.map(|f| f.to_string_lossy().into_owned()));
    }
    names.sort();
    if names.is_empty() {
        Err(format!("there are no masks in `{}`", folder.display()))
    } else {
        Ok(names)
    }
}

/// Whether an entry is a folder, or a link to one. The list of a folder says what most entries are; only links are looked
/// at.
fn is_folder(entry: &DirEntry) -> std::io::Result<bool> {
    let kind = entry.file_type()?;
    Ok(if kind.is_symlink() {
        entry.path().is_dir()
    } else {
        kind.is_dir()
    })
}

/// Every file below the folder, by its path in it. What is no file (a pipe, a link that leads nowhere) is an error.
fn all_names(folder: &Path) -> Result<Vec<String>, String> {
    fn walk(at: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), String> {
        let shown = |e: std::io::Error| format!("cannot read `{}`: {e}", at.display());
        for entry in std::fs::read_dir(at).map_err(shown)? {
            let entry = entry.map_err(shown)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if is_folder(&entry).map_err(shown)? {
                walk(&entry.path(), &format!("{name}/"), names)?;
            } else {
                names.push(name);
            }
        }
        Ok(())
    }
    let mut names = Vec::new();
    walk(folder, "", &mut names)?;
    names.sort();
    if names.is_empty() {
        return Err(format!("the folder `{}` is empty", folder.display()));
    }
    Ok(names)
}

fn digests(
    store: &Store,
    path: &Path,
    names: Vec<String>,
) -> Result<Vec<(String, Digest)>, String> {
    let files: Vec<PathBuf> = names
        .iter()
        .map(|n| {
            if n.is_empty() {
                path.to_owned()
            } else {
                path.join(n)
            }
        })
        .collect();
    let digests = store
        .digests(&files)
        .into_iter()
        .collect::<Result<Vec<Digest>, _>>();
    let digests = digests.map_err(|e| e.to_string())?;
    Ok(names.into_iter().zip(digests).collect())
}
