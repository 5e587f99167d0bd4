//! Lists the images of a folder, sorted by name, and refuses folders that hold none.
//! Unaware of what is in the files: a name's ending decides here, the content when it is read.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::error::{PixelError, Result};

/// The images directly in `dir`: names that end in png, jpg, jpeg or bmp, in any case, without hidden files,
/// sorted by name (bytes). Errors: [`PixelError::MissingFolder`], [`PixelError::NotAFolder`],
/// [`PixelError::EmptyFolder`], [`PixelError::Read`].
pub fn list_images(dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.is_file() {
        return Err(PixelError::NotAFolder { path: dir.into() });
    }
    let entries = std::fs::read_dir(dir).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => PixelError::MissingFolder { path: dir.into() },
        _ => PixelError::Read {
            path: dir.into(),
            source,
        },
    })?;
    let mut images = Vec::new();
    for entry in entries {
        let entry = entry.map_err(PixelError::read(dir))?;
        let path = entry.path();
        if has_image_name(&path) && !is_folder(&entry, &path) {
            images.push(path);
        }
    }
    images.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    if images.is_empty() {
        Err(PixelError::EmptyFolder { path: dir.into() })
    } else {
        Ok(images)
    }
}

/// Whether an entry is a folder or a link to one. The folder above knows without a look at each file, which thousands of
/// them would take a while. A link that leads nowhere is none: reading it is an error, leaving it out would shrink the
/// set unnoticed.
fn is_folder(entry: &DirEntry, path: &Path) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => path.is_dir(),
    }
}

/// Whether a name ends as an image's does and is not hidden.
fn has_image_name(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    !hidden && ending.is_some_and(|ending| ["png", "jpg", "jpeg", "bmp"].contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_listed_by_name_whatever_the_case_of_the_ending() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b.PNG",
            "a.jpg",
            "c.JPeG",
            "d.bmp",
            "notes.txt",
            ".hidden.png",
            "10.png",
            "9.png",
        ] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        std::fs::create_dir(folder.path().join("folder.png")).unwrap();
        let names: Vec<_> = list_images(folder.path()).unwrap();
        let names: Vec<_> = names
            .iter()
            .map(|p| p.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["10.png", "9.png", "a.jpg", "b.PNG", "c.JPeG", "d.bmp"]
        );
    }

    #[test]
    fn missing_empty_and_mistaken_folders_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| list_images(path).unwrap_err();
        assert!(matches!(
            error(folder.path()),
            PixelError::EmptyFolder { .. }
        ));
        assert!(matches!(
            error(&folder.path().join("no")),
            PixelError::MissingFolder { .. }
        ));
        let file = folder.path().join("a.png");
        std::fs::write(&file, b"").unwrap();
        assert!(matches!(error(&file), PixelError::NotAFolder { .. }));
    }
}
