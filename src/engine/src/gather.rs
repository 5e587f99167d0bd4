//! Looks at the files outside that stages name, and digests them.
//! Unaware of keys; a file that cannot be read is a finding, not an error. Which files of a folder a stage reads is asked
//! where its worker asks too (`pixels`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use files::{Chosen, Lost};
use pixels::{ImageFile, PixelError};
use plan::{FITTED, Outside};
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

/// What there is at an outside path.
#[derive(Default)]
pub struct Listed {
    /// The files that are read; one without a name where it is a file itself.
    pub files: Files,
    /// A sentence on what is not.
    pub said: Option<String>,
    /// What is left out of folders that a command reads.
    pub left_out: BTreeSet<PathBuf>,
}

/// What each outside path of the stages holds.
pub fn gather(stages: &[Stage], store: &Store) -> Gathered {
    let mut wanted: BTreeMap<(Listing, PathBuf), Files> = BTreeMap::new();
    let (mut outside, mut left) = (Outside::new(), BTreeMap::new());
    for external in stages.iter().flat_map(|stage| &stage.external) {
        let at = (external.listing.clone(), external.path.clone());
        if wanted.contains_key(&at) || outside.contains_key(&at) {
            continue;
        }
        match files(&at.0, external.role, &at.1) {
            Ok(listed) => {
                left.extend(listed.said.map(|said| (at.clone(), said)));
                wanted.insert(at, listed.files);
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

/// The files below `path` that are read, or the sentence that says why none are, with paths as a person would write them.
pub fn files(listing: &Listing, field: &str, path: &Path) -> Result<Listed, String> {
    let of = |files, said| {
        Ok(Listed {
            files,
            said,
            ..Listed::default()
        })
    };
    let all = |files| of(files, None);
    match listing {
        Listing::Images { optional, .. } if *optional && !path.exists() => all(Vec::new()),
        Listing::Images { recursive, .. } => {
            let listed = pixels::list_images(path, *recursive).map_err(of_pixels)?;
            let said = listed.left.said(&plan::tidy(path));
            of(named(listed.files.into_iter()), said)
        }
        Listing::Masks => {
            let folder = pixels::MaskFolder::open(path).map_err(of_pixels)?;
            let files = named(folder.files().into_iter().cloned());
            of(files, folder.left.said(&plan::tidy(path)))
        }
        Listing::All(selection) => chosen(&selection.of(path), field, path),
        Listing::File if path.is_file() => all(vec![(String::new(), path.into())]),
        Listing::File => Err(no_file(field, path)),
    }
}

fn of_pixels(mut error: PixelError) -> String {
    if let Some(path) = error.path_mut() {
        *path = plan::tidy(path);
    }
    error.to_string()
}

fn of_files(mut lost: Lost) -> String {
    let path = lost.path_mut();
    *path = plan::tidy(path);
    lost.to_string()
}

/// The files that a path, a folder or a pattern stands for. What is no file (a pipe, a link that leads nowhere) is an error
/// when it is read, and a link to a folder that the link lies in is one here.
fn chosen(chosen: &Chosen, field: &str, path: &Path) -> Result<Listed, String> {
    let roots = chosen.roots().map_err(of_files)?;
    let is_pattern = chosen.pattern().is_some();
    // Names that are left out unless somebody wants them are said.
    let (mut found, mut by_default, mut left_out) =
        (Files::new(), BTreeSet::new(), BTreeSet::new());
    for root in roots {
        let name = text(root.name.as_os_str());
        if root.path.is_dir() {
            let below = files::below(&root, chosen.ignored()).map_err(of_files)?;
            by_default.extend(below.by_default());
            left_out.extend(below.left_out.iter().map(|name| root.path.join(name)));
            let prefix = if is_pattern {
                format!("{FITTED}{name}/")
            } else {
                String::new()
            };
            let named = |file: files::Found| {
                let name = format!("{prefix}{}", text(file.name.as_os_str()));
                (name, file.path)
            };
            found.extend(below.files.into_iter().map(named));
        } else if is_pattern {
            found.push((format!("{FITTED}{name}/"), root.path));
        } else if root.path.is_file() {
            found.push((String::new(), root.path));
        } else {
            return Err(no_file(field, path));
        }
    }
    if found.is_empty() {
        return Err(nothing(chosen, field, path));
    }
    found.sort();
    let names = by_default.into_iter().collect::<Vec<_>>().join(", ");
    let said = format!("left out of `{}`: {names}", plan::tidy(path).display());
    Ok(Listed {
        files: found,
        said: (!names.is_empty()).then_some(said),
        left_out,
    })
}

/// What is said where nothing is read.
fn nothing(chosen: &Chosen, field: &str, path: &Path) -> String {
    let tidy = plan::tidy(path);
    let shown = files::Name(&tidy);
    if chosen.pattern().is_some() {
        format!(
            "`{shown}` fits no file ({field})\nhint: `*` stands for a part of one name and `**` for folders; `[*]` is the character \
             `*` itself"
        )
    } else if std::fs::read_dir(path).is_ok_and(|mut all| all.next().is_some()) {
        format!(
            "of the folder `{shown}` nothing is left to be read ({field})\nhint: `ignore: ['!{}']` takes in what is called so",
            files::IGNORED[0]
        )
    } else {
        format!("the folder `{shown}` is empty")
    }
}

fn no_file(field: &str, path: &Path) -> String {
    let tidy = plan::tidy(path);
    let shown = files::Name(&tidy);
    if path.exists() {
        let what = if path.is_dir() {
            "a folder"
        } else {
            "no regular file"
        };
        format!("`{shown}` is {what}, and a file is expected ({field})")
    } else if files::is_pattern(path) {
        format!(
            "`{shown}` {} ({field})\nhint: name the file",
            files::NOT_EXPANDED
        )
    } else {
        format!("there is no file `{shown}` ({field})")
    }
}

fn named(files: impl Iterator<Item = ImageFile>) -> Files {
    files.map(|file| (file.name, file.path)).collect()
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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn errors_name_what_they_are_about_without_ways_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["other", "data/masks"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("data/notes.txt"), "").unwrap();
        let images = Listing::Images {
            recursive: false,
            optional: false,
        };
        let said = |listing: &Listing, name: &str| {
            let path = folder.path().join("other/..").join(name);
            files(listing, "root", &path).err().unwrap()
        };
        let shown = |name: &str| format!("`{}`", folder.path().join(name).display());
        let empty = said(&images, "data");
        assert_eq!(empty.matches(&shown("data")).count(), 2, "{empty}");
        for (listing, name) in [
            (&images, "no"),
            (&Listing::Masks, "data"),
            (&Listing::File, "no"),
        ] {
            let why = said(listing, name);
            assert!(why.contains(&shown(name)) && !why.contains(".."), "{why}");
        }
        // Within the folder, too.
        let odd = folder.path().join("data/pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&odd).status();
        assert!(made.unwrap().success());
        let why = said(&images, "data");
        assert!(
            why.starts_with(&format!("`{}` is a FIFO", odd.display())),
            "{why}"
        );
    }
}
