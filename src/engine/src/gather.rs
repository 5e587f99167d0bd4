//! Looks at the files outside that stages name, and digests them.
//! Unaware of keys; a file that cannot be read is a finding, not an error. Which files of a folder a stage reads is asked
//! where its worker asks too (`pixels`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pixels::ImageFile;
use plan::Outside;
use spec::{Listing, Stage};
use store::{Digest, Store};

/// What was found outside.
pub struct Gathered {
    /// What each outside path of the stages holds.
    pub outside: Outside,
    /// What stages do not read of their folders, in words.
    pub left: BTreeMap<(Listing, PathBuf), String>,
}

/// The files that are read: the name in the key, and where each is.
pub type Files = Vec<(String, PathBuf)>;

/// What each outside path of the stages holds.
pub fn gather(stages: &[Stage], store: &Store) -> Gathered {
    let mut wanted: BTreeMap<(Listing, PathBuf), Files> = BTreeMap::new();
    let (mut outside, mut left) = (Outside::new(), BTreeMap::new());
    for external in stages.iter().flat_map(|stage| &stage.external) {
        let at = (external.listing, external.path.clone());
        if wanted.contains_key(&at) || outside.contains_key(&at) {
            continue;
        }
        match files(at.0, external.role, &at.1) {
            Ok((files, said)) => {
                left.extend(said.map(|said| (at.clone(), said)));
                wanted.insert(at, files);
            }
            Err(why) => drop(outside.insert(at, Err(why))),
        }
    }
    let found = wanted.into_iter().map(|(at, files)| {
        let found = digests(store, files);
        (at, found)
    });
    outside.extend(found);
    Gathered { outside, left }
}

/// The files below `path` that are read (one without a name where it is a file itself), and a sentence on what is not.
pub fn files(
    listing: Listing,
    field: &str,
    path: &Path,
) -> Result<(Files, Option<String>), String> {
    let all = |files| Ok((files, None));
    let shown = plan::tidy(path);
    match listing {
        Listing::Images { optional, .. } if optional && !path.exists() => all(Vec::new()),
        Listing::Images { recursive, .. } => {
            let listed = pixels::list_images(path, recursive).map_err(|e| e.to_string())?;
            Ok((named(listed.files.into_iter()), listed.left.said(&shown)))
        }
        Listing::Masks => {
            let folder = pixels::MaskFolder::open(path).map_err(|e| e.to_string())?;
            let files = named(folder.files().into_iter().cloned());
            Ok((files, folder.left.said(&shown)))
        }
        Listing::All if path.is_dir() => {
            let walk = all_files(path)?;
            let ignored = walk.ignored.into_iter().collect::<Vec<_>>().join(", ");
            let said = format!("left out of `{}`: {ignored}", shown.display());
            Ok((walk.files, (!ignored.is_empty()).then_some(said)))
        }
        Listing::File | Listing::All if path.is_file() => all(vec![(String::new(), path.into())]),
        Listing::File | Listing::All => Err(no_file(field, path)),
    }
}

fn no_file(field: &str, path: &Path) -> String {
    let shown = path.display();
    if path.exists() {
        let what = if path.is_dir() {
            "a folder"
        } else {
            "no regular file"
        };
        format!("`{shown}` is {what}, and a file is expected ({field})")
    } else if files::is_pattern(path) {
        let whole = if field == "files" {
            "name each file, or a folder for all files in it"
        } else {
            "name the file"
        };
        format!("`{shown}` {} ({field})\nhint: {whole}", files::NOT_EXPANDED)
    } else {
        format!("there is no file `{shown}` ({field})")
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

/// A name as text, another one for each: bytes that are not UTF-8 are marked by NUL, which no name holds.
fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\0{byte:02X}"));
        }
    }
    text
}

/// More files and folders below one folder are not gone through: links can make any number of them.
const MOST_ENTRIES: usize = 1 << 20;

/// Every file below the folder, by its path in it. What is no file (a pipe, a link that leads nowhere) is an error, and so
/// is a link to a folder that the link lies in.
fn all_files(folder: &Path) -> Result<Walk, String> {
    let mut walk = Walk {
        left: MOST_ENTRIES,
        ..Walk::default()
    };
    walk.below(folder, folder, "")?;
    walk.files.sort();
    if walk.files.is_empty() {
        return Err(format!("the folder `{}` is empty", files::Name(folder)));
    }
    Ok(walk)
}

/// A way through all folders below one.
#[derive(Default)]
struct Walk {
    files: Files,
    /// Names that were met and are no inputs.
    ignored: BTreeSet<String>,
    /// How many more files and folders it goes through.
    left: usize,
    /// Device and inode of the folders on the way down.
    above: Vec<(u64, u64)>,
}

impl Walk {
    /// `at` is how the folder was come to, `real` where it lies: behind many links the first takes long to follow.
    fn below(&mut self, at: &Path, real: &Path, prefix: &str) -> Result<(), String> {
        let shown = |e: std::io::Error| format!("cannot read `{}`: {e}", files::Name(at));
        let meta = std::fs::metadata(real).map_err(shown)?;
        let own = (meta.dev(), meta.ino());
        if self.above.contains(&own) {
            return Err(format!(
                "`{}` leads back to a folder that it lies in; name files, or remove the link",
                at.display()
            ));
        }
        self.above.push(own);
        for entry in std::fs::read_dir(real).map_err(shown)? {
            let entry = entry.map_err(shown)?;
            if files::is_ignored(&entry.file_name()) {
                self.ignored.insert(text(&entry.file_name()));
                continue;
            }
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                format!(
                    "more than {MOST_ENTRIES} files and folders are below it, up to `{}`; name smaller folders",
                    at.display()
                )
            })?;
            let name = format!("{prefix}{}", text(&entry.file_name()));
            let path = at.join(entry.file_name());
            if is_folder(&entry).map_err(shown)? {
                let real = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => entry.path(),
                    _ => entry.path().canonicalize().map_err(shown)?,
                };
                self.below(&path, &real, &format!("{name}/"))?;
            } else {
                self.files.push((name, path));
            }
        }
        self.above.pop();
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// No ring, and 2^30 paths to one file.
    #[test]
    fn links_that_multiply_paths_are_followed_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let level = |n: usize| folder.path().join(format!("level{n}"));
        for n in 0..30 {
            std::fs::create_dir(level(n)).unwrap();
            for name in ["a", "b"] {
                let to = format!("../level{}", n + 1);
                std::os::unix::fs::symlink(to, level(n).join(name)).unwrap();
            }
        }
        std::fs::create_dir(level(30)).unwrap();
        std::fs::write(level(30).join("file"), "").unwrap();
        let mut walk = Walk {
            left: 1000,
            ..Walk::default()
        };
        let why = walk.below(&level(0), &level(0), "").unwrap_err();
        assert!(why.starts_with("more than "), "{why}");
        let all = all_files(&level(25)).unwrap().files;
        assert_eq!(all.len(), 32);
        assert_eq!(all[1].0, "a/a/a/a/b/file");
        assert_eq!(all[1].1, level(25).join("a/a/a/a/b/file"));
    }
}
