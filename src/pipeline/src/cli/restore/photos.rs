//! The photographs: which files, and what the restored ones will be called.
//! Unaware of models but for their scale. Whatever would be wrong later is found here, before anything is computed: a wrong
//! command ends it, a damaged photograph is left out and told at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diagnostics::shown::line;
use files::Name;
use pixels::{check_memory, escaped, image_size, list_images, read_photo};

use super::args::{Format, RestoreArgs};
use crate::cli::{Fatal, say};

/// The photographs, in the order in which they were named.
pub struct Photos {
    pub each: Vec<Photo>,
    /// Those that cannot be restored.
    pub failed: Vec<Failed>,
}

/// A photograph that could not be restored, and why.
pub struct Failed {
    pub shown: String,
    pub why: Fatal,
}

/// One photograph.
pub struct Photo {
    pub path: PathBuf,
    /// What it is called: its name without ending. Bytes that are not UTF-8 are written as `%E9`.
    pub title: String,
    /// What workers call it.
    pub number: String,
    /// The name of the restored one.
    pub to: String,
    /// Whether nothing kept it from being restored.
    pub is_restored: bool,
}

impl Photo {
    /// What it is called, on one line.
    pub fn shown(&self) -> String {
        line(&self.title).into_owned()
    }
}

/// Bytes that a pixel of a restored photograph takes while it is written: its samples, and those with transparency.
const BYTES: u64 = 8;

/// Looks at the headers of all photographs, and at the names of what will be written.
pub fn read(args: &RestoreArgs, scale: usize) -> Result<Photos, Fatal> {
    let form = match args.format {
        Format::Png => pixels::Form::Png,
        Format::Jpeg => pixels::Form::Jpeg(args.quality),
        Format::Webp => pixels::Form::Webp,
        Format::Tiff => pixels::Form::Tiff,
    };
    let (mut each, mut failed) = (Vec::new(), Vec::new());
    for (path, title) in named(&args.photos)? {
        let shown = Name(&path);
        let (size, is_opaque) = match looked_at(&path, scale) {
            Ok(found) => found,
            Err(why) if is_there(&path) => {
                let shown = line(&shown.to_string()).into_owned();
                failed.push(Failed { shown, why });
                continue;
            }
            Err(why) => return Err(why),
        };
        let large = (size.0 * scale, size.1 * scale);
        if let Err(longest) = form.fits(large) {
            let message = format!(
                "`{shown}` becomes {}×{} pixels, and this format has room for {longest} a side",
                large.0, large.1
            );
            return Err(Fatal::usage(message, "use --format png or tiff"));
        }
        if args.format == Format::Jpeg && !is_opaque {
            let message = format!("`{shown}` is transparent, and JPEG has no room for that");
            return Err(Fatal::usage(message, "use --format png, webp or tiff"));
        }
        each.push(Photo {
            to: format!("{title}.{}", form.ending()),
            number: each.len().to_string(),
            is_restored: true,
            path,
            title,
        });
    }
    check_names(&each)?;
    each.iter()
        .try_for_each(|photo| check_target(photo, args))?;
    Ok(Photos { each, failed })
}

/// Reads a photograph to its end, since what is damaged may be damaged there: its size, and whether it has no transparency.
fn looked_at(path: &Path, scale: usize) -> Result<((usize, usize), bool), Fatal> {
    let size = image_size(path).map_err(|e| Fatal::of_pixels(&e))?;
    let large = (size.0 * scale, size.1 * scale);
    let what = format!("restoring `{}` to an image", Name(path));
    check_memory(&what, large, BYTES).map_err(|e| Fatal::of_pixels(&e))?;
    let (photo, _) = read_photo(path).map_err(|e| Fatal::of_pixels(&e))?;
    Ok((size, photo.alpha.is_none()))
}

/// A name that nothing has is a wrong command, not a damaged photograph.
fn is_there(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}

/// The files, with what they are called; those of folders in the order of their names.
fn named(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Fatal> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            let listed = list_images(path, false).map_err(|e| Fatal::of_pixels(&e))?;
            if let Some(text) = listed.left.said(path) {
                say(&text);
            }
            all.extend(listed.files.into_iter().map(|file| {
                let title = file.title();
                (file.path, title)
            }));
        } else {
            let (title, _) = escaped(path.file_stem().unwrap_or_default());
            all.push((path.clone(), title));
        }
    }
    Ok(all)
}

fn check_names(photos: &[Photo]) -> Result<(), Fatal> {
    let mut known: BTreeMap<&str, &Path> = BTreeMap::new();
    for photo in photos {
        if let Some(other) = known.insert(&photo.to, &photo.path) {
            let message = format!(
                "`{}` and `{}` would both become `{}`",
                Name(other),
                Name(&photo.path),
                photo.to
            );
            let hint = "restored photographs are named after the files without their ending: rename one, or restore \
                        them into two folders";
            return Err(Fatal::usage(message, hint));
        }
    }
    Ok(())
}

/// Nothing that is there is lost.
fn check_target(photo: &Photo, args: &RestoreArgs) -> Result<(), Fatal> {
    let to = args.out.join(&photo.to);
    if std::fs::symlink_metadata(&to).is_err() {
        return Ok(());
    }
    let shown = Name(&to);
    if args
        .photos
        .iter()
        .chain([&photo.path])
        .any(|path| is_same(path, &to))
    {
        let message =
            format!("`{shown}` is a photograph that is to be restored, and would be replaced");
        return Err(Fatal::usage(message, "give another folder: -o restored"));
    }
    if !args.overwrite || to.is_dir() {
        let message = format!("`{shown}` is there already");
        return Err(Fatal::usage(message, "give another folder, or --overwrite"));
    }
    Ok(())
}

/// Whether two paths are one file.
fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    matches!((real(a), real(b)), (Some(a), Some(b)) if a == b)
}
