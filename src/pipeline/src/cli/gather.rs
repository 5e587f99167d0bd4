//! Looks at the files outside that stages name, and digests them.
//! Unaware of keys; a file that cannot be read is a finding, not an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::Kind;
use spec::kinds::{Mask, Segmenter};
use store::{Digest, Store};

use crate::plan::Outside;

/// What each outside path of the stages holds.
pub fn gather<'a>(kinds: impl Iterator<Item = &'a Kind>, store: &Store) -> Outside {
    let mut wanted: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut outside = Outside::new();
    for kind in kinds {
        for (field, path) in kind.outside() {
            if wanted.contains_key(path) || outside.contains_key(path) {
                continue;
            }
            match names(kind, field, path) {
                Ok(names) => drop(wanted.insert(path.clone(), names)),
                Err(why) => drop(outside.insert(path.clone(), Err(why))),
            }
        }
    }
    let found = wanted
        .into_iter()
        .map(|(path, names)| (path.clone(), digests(store, &path, names)));
    outside.extend(found);
    outside
}

/// The names of the files below `path` that the stage reads; one empty name for a file.
fn names(kind: &Kind, field: &str, path: &Path) -> Result<Vec<String>, String> {
    match kind {
        Kind::Prepare(_) if field == "lr_if_present" && !path.exists() => Ok(Vec::new()),
        Kind::Prepare(_) => image_names(path),
        Kind::Mask(Mask {
            segmenter: Segmenter::Files { .. },
            ..
        }) => mask_names(path),
        _ if path.is_file() => Ok(vec![String::new()]),
        _ => Err(format!("there is no file `{}` ({field})", path.display())),
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
