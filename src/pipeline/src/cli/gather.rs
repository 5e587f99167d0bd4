//! Looks at the files outside that stages name, and digests them.
//! Unaware of keys; a file that cannot be read is a finding, not an error. Which files of a folder a stage reads is asked
//! where its worker asks too (`pixels`).

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use pixels::{ImageFile, LeftOut};
use spec::Kind;
use store::{Digest, Store};

use crate::plan::{Listing, Outside};

/// What was found outside.
pub struct Gathered {
    /// What each outside path of the stages holds.
    pub outside: Outside,
    /// What stages do not read of their folders, in words.
    pub left: BTreeMap<(Listing, PathBuf), String>,
}

/// The files that are read: the name in the key, and where each is.
type Files = Vec<(String, PathBuf)>;

/// What each outside path of the stages holds.
pub fn gather<'a>(kinds: impl Iterator<Item = &'a Kind>, store: &Store) -> Gathered {
    let mut wanted: BTreeMap<(Listing, PathBuf), Files> = BTreeMap::new();
    let (mut outside, mut left) = (Outside::new(), BTreeMap::new());
    for kind in kinds {
        for (field, path) in kind.outside() {
            let at = (Listing::of(kind, field), path.into_owned());
            if wanted.contains_key(&at) || outside.contains_key(&at) {
                continue;
            }
            match files(at.0, field, &at.1) {
                Ok((files, others)) => {
                    let said = others.said(&crate::plan::tidy(&at.1));
                    left.extend(said.map(|said| (at.clone(), said)));
                    wanted.insert(at, files);
                }
                Err(why) => drop(outside.insert(at, Err(why))),
            }
        }
    }
    let found = wanted.into_iter().map(|(at, files)| {
        let found = digests(store, files);
        (at, found)
    });
    outside.extend(found);
    Gathered { outside, left }
}

/// The files below `path` that are read (one without a name where it is a file itself), and what is not.
fn files(listing: Listing, field: &str, path: &Path) -> Result<(Files, LeftOut), String> {
    let all = |files| Ok((files, LeftOut::default()));
    match listing {
        Listing::Images { optional, .. } if optional && !path.exists() => all(Vec::new()),
        Listing::Images { recursive, .. } => {
            let listed = pixels::list_images(path, recursive).map_err(|e| e.to_string())?;
            Ok((named(listed.files.into_iter()), listed.left))
        }
        Listing::Masks => {
            let folder = pixels::MaskFolder::open(path).map_err(|e| e.to_string())?;
            Ok((named(folder.files().into_iter().cloned()), folder.left))
        }
        Listing::All if path.is_dir() => all(all_files(path)?),
        Listing::File | Listing::All if path.is_file() => all(vec![(String::new(), path.into())]),
        Listing::File | Listing::All => {
            Err(format!("there is no file `{}` ({field})", path.display()))
        }
    }
}

fn named(files: impl Iterator<Item = ImageFile>) -> Files {
    files.map(|file| (file.name, file.path)).collect()
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
fn all_files(folder: &Path) -> Result<Files, String> {
    fn walk(at: &Path, prefix: &str, files: &mut Files) -> Result<(), String> {
        let shown = |e: std::io::Error| format!("cannot read `{}`: {e}", at.display());
        for entry in std::fs::read_dir(at).map_err(shown)? {
            let entry = entry.map_err(shown)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if is_folder(&entry).map_err(shown)? {
                walk(&entry.path(), &format!("{name}/"), files)?;
            } else {
                files.push((name, entry.path()));
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    walk(folder, "", &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(format!("the folder `{}` is empty", folder.display()));
    }
    Ok(files)
}

fn digests(store: &Store, files: Files) -> Result<Vec<(String, Digest)>, String> {
    let (names, paths): (Vec<String>, Vec<PathBuf>) = files.into_iter().unzip();
    let digests = store
        .digests(&paths)
        .into_iter()
        .collect::<Result<Vec<Digest>, _>>();
    let digests = digests.map_err(|e| e.to_string())?;
    Ok(names.into_iter().zip(digests).collect())
}
