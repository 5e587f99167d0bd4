//! Masks that others made: which files of a folder are masks of which image, in which order, and what is not read.
//! Unaware of how many a network takes, and of what is in the files (`mask_image`, `mask_json`).
//!
//! The plan (for keys) and the worker (for masks) both ask here, so that what is read is what is hashed.
//!
//! ```text
//!   a folder ─┬─ IMAGE/  ──> its image files, numbers first ──> a mask each
//!             ├─ IMAGE.json ──────────────────────────────────> run lengths, in the order of the file
//!             └─ anything else ─> counted, and said once
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{PixelError, Result, Size};
use crate::folder::{ImageFile, check_regular, entries, escaped, has_image_name, is_folder, stem};
use crate::io::Reader;
use crate::left_out::LeftOut;
use crate::mask_image::{MaskRead, Reading, read_mask_image};
use crate::mask_json::read_mask_json;
use crate::rle::Rle;

/// The masks of a folder, by the names of their images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskFolder {
    path: PathBuf,
    pub(crate) images: BTreeMap<String, Vec<Source>>,
    /// What is not read.
    pub left: LeftOut,
}

/// Where the masks of an image are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A folder with a file a mask.
    Folder(String, Vec<ImageFile>),
    /// A file of run lengths.
    Json(ImageFile),
}

impl Source {
    fn shown(&self) -> String {
        match self {
            Self::Folder(name, _) => format!("the folder `{name}`"),
            Self::Json(file) => format!("the file `{}`", file.name),
        }
    }
}

/// The masks of an image, and how many of them were told from their surroundings by the half of the brightness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasksRead {
    /// The masks.
    pub masks: Vec<Rle>,
    /// Files with losses, whose samples were divided at half.
    pub halved: usize,
}

impl MaskFolder {
    /// Looks at a folder. Errors: [`PixelError::MissingFolder`], [`PixelError::NotAFolder`], [`PixelError::Read`],
    /// [`PixelError::NotRegular`], [`PixelError::NoMasks`].
    pub fn open(path: &Path) -> Result<Self> {
        let mut folder = Self {
            path: path.into(),
            images: BTreeMap::new(),
            left: LeftOut::default(),
        };
        for entry in entries(path)? {
            let (name, _) = escaped(&entry.file_name());
            if name.starts_with('.') {
                continue;
            }
            if is_folder(&entry) {
                let files = inside(&entry.path(), &name, &mut folder.left)?;
                let source = Source::Folder(name.clone(), files);
                folder.images.entry(name).or_default().push(source);
            } else if is_json(&name) {
                check_regular(&entry, &entry.path())?;
                let image = stem(&name).to_owned();
                let path = entry.path();
                let source = Source::Json(ImageFile { path, name });
                folder.images.entry(image).or_default().push(source);
            } else {
                folder.left.other(&name);
            }
        }
        if folder.files().is_empty() {
            return Err(PixelError::NoMasks {
                path: path.into(),
                left: folder.left,
            });
        }
        Ok(folder)
    }

    /// Every file that is read, sorted by name.
    pub fn files(&self) -> Vec<&ImageFile> {
        let sources = self.images.values().flatten();
        let files = sources.flat_map(|source| match source {
            Source::Folder(_, files) => files.iter(),
            Source::Json(file) => std::slice::from_ref(file).iter(),
        });
        let mut files: Vec<&ImageFile> = files.collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    }

    /// The masks of the image `title` of `width`×`height` pixels. Errors: [`PixelError::MissingMasks`],
    /// [`PixelError::TwoMasks`], [`PixelError::EmptyFolder`], and those of reading images and run lengths.
    pub fn read(&self, title: &str, size: Size, how: MaskRead) -> Result<MasksRead> {
        self.read_by(&files::read, title, size, how)
    }

    /// As [`MaskFolder::read`], with the bytes that `read` gives.
    pub fn read_by(
        &self,
        read: &Reader<'_>,
        title: &str,
        size: Size,
        how: MaskRead,
    ) -> Result<MasksRead> {
        let dir = || self.path.clone();
        let sources = self.images.get(title).map_or(&[][..], Vec::as_slice);
        match sources {
            [] => Err(PixelError::MissingMasks {
                dir: dir(),
                stem: title.into(),
            }),
            [Source::Json(file)] => Ok(MasksRead {
                masks: read_mask_json(read, &file.path, size)?,
                halved: 0,
            }),
            [Source::Folder(name, files)] => {
                read_files(read, &self.path.join(name), files, size, how)
            }
            [one, other, ..] => Err(PixelError::TwoMasks {
                dir: dir(),
                stem: title.into(),
                both: [one.shown(), other.shown()],
            }),
        }
    }
}

fn is_json(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// The image files of an image's folder, numbers first (amg.py writes `0.png`, `1.png`, …, `10.png`).
fn inside(folder: &Path, image: &str, left: &mut LeftOut) -> Result<Vec<ImageFile>> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        let (name, _) = escaped(&entry.file_name());
        if name.starts_with('.') || is_folder(&entry) {
            continue;
        }
        if !has_image_name(&name) {
            left.other(&name);
            continue;
        }
        let path = entry.path();
        check_regular(&entry, &path)?;
        let name = format!("{image}/{name}");
        files.push(ImageFile { path, name });
    }
    files.sort_by_cached_key(file_order);
    Ok(files)
}

/// Numbers first, by value, then names.
fn file_order(file: &ImageFile) -> (bool, u64, String) {
    let name = file.stem().rsplit_once('/').map(|(_, name)| name);
    let number = name.and_then(|name| name.parse::<u64>().ok());
    (number.is_none(), number.unwrap_or(0), file.name.clone())
}

fn read_files(
    read: &Reader<'_>,
    folder: &Path,
    files: &[ImageFile],
    size: Size,
    how: MaskRead,
) -> Result<MasksRead> {
    if files.is_empty() {
        return Err(PixelError::EmptyFolder {
            path: folder.into(),
            left: LeftOut::default(),
        });
    }
    let mut all = MasksRead::default();
    for file in files {
        let (mask, reading) = read_mask_image(read, &file.path, size, how)?;
        all.halved += usize::from(how == MaskRead::Auto && reading == Reading::Half);
        all.masks.push(mask);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::GrayImage;

    fn save(path: &Path, width: u32, values: &[u8]) {
        let height = values.len() as u32 / width;
        let image = GrayImage::from_raw(width, height, values.to_vec()).unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        std::fs::write(path, bytes.into_inner()).unwrap();
    }

    fn read(dir: &Path, title: &str, size: (usize, usize)) -> Result<Vec<Rle>> {
        let read = MaskFolder::open(dir)?.read(title, size, MaskRead::Auto);
        read.map(|read| read.masks)
    }

    #[test]
    fn folders_are_read_in_numeric_order() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cat");
        std::fs::create_dir(&folder).unwrap();
        save(&folder.join("10.png"), 3, &[0, 0, 0, 0, 0, 255]);
        save(&folder.join("9.PNG"), 3, &[1, 0, 0, 0, 0, 0]);
        save(&folder.join("extra.png"), 3, &[0; 6]);
        std::fs::write(folder.join("metadata.csv"), "id,area\n").unwrap();
        save(&dir.path().join("stray.png"), 3, &[0; 6]);
        let masks = read(dir.path(), "cat", (3, 2)).unwrap();
        let counts: Vec<&[u32]> = masks.iter().map(Rle::counts).collect();
        assert_eq!(counts, [&[0, 1, 5][..], &[5, 1], &[6]]);
        let wrong = read(dir.path(), "cat", (2, 3));
        assert!(matches!(wrong, Err(PixelError::MaskSize { .. })));
        let missing = read(dir.path(), "dog", (3, 2));
        assert!(matches!(missing, Err(PixelError::MissingMasks { .. })));
        let opened = MaskFolder::open(dir.path()).unwrap();
        let names: Vec<&str> = opened.files().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["cat/10.png", "cat/9.PNG", "cat/extra.png"]);
        assert_eq!(
            opened.left.said(Path::new("m")).unwrap(),
            "2 files of `m` are not read: 1 `.csv`, 1 `.png`"
        );
        std::fs::write(dir.path().join("cat.JSON"), "[]").unwrap();
        let two = read(dir.path(), "cat", (3, 2)).unwrap_err();
        assert!(two.to_string().contains("the file `cat.JSON`"), "{two}");
    }

    #[test]
    fn a_folder_without_masks_says_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.npy"), "").unwrap();
        let error = MaskFolder::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("1 `.npy`"), "{error}");
    }
}
