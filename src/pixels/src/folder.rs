//! Says which files of a folder are images that a stage reads, in which order, and what is not read and why.
//! Unaware of what is in the files: a name's ending decides here, the content when it is read.
//!
//! The plan (for keys) and the worker (for pixels) both ask here, so that what is read is what is hashed.
//!
//! ```text
//!   a folder ─┬─ ends as an image does ──────> files, by name
//!             ├─ a sub-folder: recursive? ──> its files as `sub/name`, else counted
//!             ├─ hidden, or another ending ─> counted, and said once
//!             └─ a FIFO, a device ──────────> an error that names it
//! ```

use std::ffi::OsStr;
use std::fs::{DirEntry, FileType};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::endings::ENDINGS;
use crate::error::{PixelError, Result};
use crate::left_out::LeftOut;

/// More folders within each other than this are taken for a mistake.
const MOST_LEVELS: usize = 32;

/// At most so many entries of sub-folders are looked at only to say that they are not read.
const MOST_COUNTED: usize = 10_000;

/// An image of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in the folder, `sub/a.png` for one of a sub-folder. Bytes that are not UTF-8 are written as `%E9`.
    pub name: String,
}

impl ImageFile {
    /// What the image is called in results: its name without ending, `sub__a` for one of a sub-folder.
    pub fn title(&self) -> String {
        self.stem().replace('/', "__")
    }

    /// Its name in the folder without the ending.
    pub fn stem(&self) -> &str {
        stem(&self.name)
    }
}

/// A name without its ending; a dot at its begin is none of an ending.
pub(crate) fn stem(name: &str) -> &str {
    let at = name.rfind('.').filter(|&at| at > 0);
    at.map_or(name, |at| &name[..at])
}

/// The images of a folder and what else is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The images, sorted by name (bytes).
    pub files: Vec<ImageFile>,
    /// What is not read.
    pub left: LeftOut,
}

/// The images in `dir`, and with `recursive` in the folders below it: names that end as [`ENDINGS`] say, in any case,
/// without hidden ones. Errors: [`PixelError::MissingFolder`], [`PixelError::NotAFolder`],
/// [`PixelError::EmptyFolder`], [`PixelError::NotRegular`], [`PixelError::TooDeep`], [`PixelError::Read`].
pub fn list_images(dir: &Path, recursive: bool) -> Result<Listed> {
    let mut listed = Listed::default();
    let root = std::fs::metadata(dir)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()));
    walk(
        dir,
        "",
        recursive,
        &mut root.into_iter().collect(),
        &mut listed,
    )?;
    listed.files.sort_by(|a, b| a.name.cmp(&b.name));
    if listed.files.is_empty() {
        return Err(PixelError::EmptyFolder {
            path: dir.into(),
            left: listed.left,
        });
    }
    Ok(listed)
}

fn walk(
    dir: &Path,
    prefix: &str,
    recursive: bool,
    above: &mut Vec<(u64, u64)>,
    listed: &mut Listed,
) -> Result<()> {
    for entry in entries(dir)? {
        let path = entry.path();
        let (shown, is_utf8) = escaped(&entry.file_name());
        let name = format!("{prefix}{shown}");
        let hidden = shown.starts_with('.');
        if is_folder(&entry) {
            match (hidden, recursive) {
                (true, _) => {}
                (false, true) => enter(&path, &name, above, listed)?,
                (false, false) => count_below(&path, &mut listed.left),
            }
        } else if !has_image_name(&shown) {
            if !hidden {
                listed.left.other(&shown);
            }
        } else if hidden {
            listed.left.hidden += 1;
        } else {
            check_regular(&entry, &path)?;
            if !is_utf8 {
                listed.left.renamed.push(name.clone());
            }
            listed.files.push(ImageFile { path, name });
        }
    }
    Ok(())
}

/// Walks a sub-folder. A link that leads back to a folder above would never end; its files are listed already.
fn enter(path: &Path, name: &str, above: &mut Vec<(u64, u64)>, listed: &mut Listed) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(PixelError::read(path))?;
    let id = (meta.dev(), meta.ino());
    if above.contains(&id) {
        return Ok(());
    }
    if above.len() >= MOST_LEVELS {
        return Err(PixelError::TooDeep {
            path: path.into(),
            limit: MOST_LEVELS,
        });
    }
    above.push(id);
    walk(path, &format!("{name}/"), true, above, listed)?;
    above.pop();
    Ok(())
}

/// Counts the images below a folder that is not read. What cannot be looked at is not counted.
fn count_below(folder: &Path, left: &mut LeftOut) {
    let is_shown = |entry: &walkdir::DirEntry| !entry.file_name().as_bytes().starts_with(b".");
    let below = WalkDir::new(folder).min_depth(1).into_iter();
    for (seen, entry) in below.filter_entry(is_shown).flatten().enumerate() {
        if seen == MOST_COUNTED {
            left.more_below = true;
            return;
        }
        let (name, _) = escaped(entry.file_name());
        left.below += usize::from(!entry.file_type().is_dir() && has_image_name(&name));
    }
}

/// The entries of a folder, in no order.
pub(crate) fn entries(dir: &Path) -> Result<Vec<DirEntry>> {
    let entries = std::fs::read_dir(dir).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => PixelError::MissingFolder { path: dir.into() },
        std::io::ErrorKind::NotADirectory => PixelError::NotAFolder { path: dir.into() },
        _ => PixelError::Read {
            path: dir.into(),
            source,
        },
    })?;
    entries
        .map(|entry| entry.map_err(PixelError::read(dir)))
        .collect()
}

/// Whether an entry is a folder or a link to one. The folder above knows without a look at each file, which thousands of
/// them would take a while. A link that leads nowhere is none: reading it is an error, leaving it out would shrink the
/// set unnoticed.
pub(crate) fn is_folder(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    }
}

/// An error where an entry is neither a file nor a link. What a link leads to is asked when it is opened.
pub(crate) fn check_regular(entry: &DirEntry, path: &Path) -> Result<()> {
    let what = |kind: FileType| {
        if kind.is_fifo() {
            Some("a FIFO")
        } else if kind.is_socket() {
            Some("a socket")
        } else {
            (kind.is_block_device() || kind.is_char_device()).then_some("a device")
        }
    };
    let kind = match entry.file_type() {
        Ok(kind) if kind.is_symlink() => std::fs::metadata(path).ok().map(|m| m.file_type()),
        other => other.ok(),
    };
    match kind.and_then(what) {
        Some(what) => Err(PixelError::NotRegular {
            path: path.into(),
            what,
        }),
        None => Ok(()),
    }
}

/// Whether a name ends as an image's does.
pub(crate) fn has_image_name(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(ending))
    })
}

/// A name as text, and whether it was one: bytes that are not UTF-8 become `%E9`. Another file may be called so
/// already: who needs names that differ looks for two of one name.
pub fn escaped(name: &OsStr) -> (String, bool) {
    let mut text = String::new();
    let mut is_utf8 = true;
    for chunk in name.as_bytes().utf8_chunks() {
        text += chunk.valid();
        for byte in chunk.invalid() {
            is_utf8 = false;
            text += &format!("%{byte:02X}");
        }
    }
    (text, is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path, recursive: bool) -> Vec<String> {
        let listed = list_images(dir, recursive).unwrap();
        listed.files.into_iter().map(|file| file.name).collect()
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        folder
    }

    #[test]
    fn images_are_listed_by_name_whatever_the_case_of_the_ending() {
        let folder = folder(&[
            "b.PNG",
            "a.jpg",
            "c.JPeG",
            "d.bmp",
            "notes.txt",
            ".hidden.png",
            "10.png",
            "9.png",
            "e.tif",
            "f.TIFF",
            "g.webp",
            "h.jfif",
            "i.jpe",
            "png",
        ]);
        std::fs::create_dir(folder.path().join("folder.png")).unwrap();
        assert_eq!(
            names(folder.path(), false),
            [
                "10.png", "9.png", "a.jpg", "b.PNG", "c.JPeG", "d.bmp", "e.tif", "f.TIFF",
                "g.webp", "h.jfif", "i.jpe"
            ]
        );
    }

    #[test]
    fn sub_folders_are_read_when_asked_for_and_counted_otherwise() {
        let folder = folder(&["b.png", "a/b.png", "a/c/d.jpg", "a/x.txt", ".git/e.png"]);
        std::os::unix::fs::symlink("..", folder.path().join("a/back")).unwrap();
        assert_eq!(names(folder.path(), false), ["b.png"]);
        let left = list_images(folder.path(), false).unwrap().left;
        assert_eq!(
            left.said(Path::new("photos")).unwrap(),
            "2 files of `photos` are not read: 2 in sub-folders (`recursive: true` reads them)"
        );
        let all = list_images(folder.path(), true).unwrap();
        let titles: Vec<String> = all.files.iter().map(ImageFile::title).collect();
        assert_eq!(titles, ["a__b", "a__c__d", "b"]);
        assert_eq!(
            all.left.said(Path::new("photos")).unwrap(),
            "1 file of `photos` is not read: 1 `.txt`"
        );
    }

    #[test]
    fn what_is_not_read_is_counted_by_reason() {
        let folder = folder(&[
            "a.png",
            "b.heic",
            "c.HEIC",
            "README",
            "._a.png",
            ".DS_Store",
        ]);
        let left = list_images(folder.path(), false).unwrap().left;
        assert_eq!(
            left.said(Path::new("photos")).unwrap(),
            "4 files of `photos` are not read: 1 hidden, 1 without an ending, 2 `.heic`"
        );
        assert_eq!(LeftOut::default().said(Path::new("photos")), None);
    }

    #[test]
    fn names_that_are_not_utf_8_are_read_and_said() {
        let folder = folder(&["a.png"]);
        let odd = OsStr::from_bytes(b"caf\xe9.png");
        std::fs::write(folder.path().join(odd), b"").unwrap();
        let listed = list_images(folder.path(), false).unwrap();
        assert_eq!(listed.files[1].name, "caf%E9.png");
        assert_eq!(listed.files[1].path, folder.path().join(odd));
        assert_eq!(
            listed.left.said(Path::new("photos")).unwrap(),
            "1 name in `photos` is not UTF-8; bytes are written as in `caf%E9.png`"
        );
    }

    #[test]
    fn missing_empty_and_mistaken_folders_are_told_apart() {
        let folder = folder(&["notes.txt"]);
        let error = |path: &Path| list_images(path, false).unwrap_err();
        let empty = error(folder.path());
        assert!(matches!(empty, PixelError::EmptyFolder { .. }));
        assert!(empty.to_string().contains("1 `.txt`"), "{empty}");
        assert!(empty.to_string().contains("tiff"), "{empty}");
        assert!(matches!(
            error(&folder.path().join("no")),
            PixelError::MissingFolder { .. }
        ));
        let file = folder.path().join("a.png");
        std::fs::write(&file, b"").unwrap();
        assert!(matches!(error(&file), PixelError::NotAFolder { .. }));
    }

    #[test]
    fn a_fifo_among_the_images_is_named_and_not_waited_for() {
        let folder = folder(&["a.png"]);
        let fifo = folder.path().join("b.png");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let error = list_images(folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("b.png` is a FIFO"), "{error}");
    }
}
