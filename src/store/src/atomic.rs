//! Writes files so that a reader, or a power cut, sees the old content or the new one and nothing between.
//! Unaware of what the files mean.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::error::{at, at_sized};

/// How the name of an unfinished file starts.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Replaces `path` by these bytes: a file beside it, flushed, renamed, the folder flushed.
/// On failure the old content stays and the file beside it is removed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, Flush::Yes)
}

/// Whether the bytes must be on the disk before the name changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// A power cut leaves the old content or the new.
    Yes,
    /// A power cut may leave anything: only for files that know their own checksum and can be lost.
    No,
}

/// [`write_atomic`] with or without flushes.
pub(crate) fn replace(path: &Path, bytes: &[u8], flush: Flush) -> Result<()> {
    let folder = parent(path);
    let needed = Some(bytes.len() as u64);
    let (beside, mut file) = create_beside(folder).map_err(at_sized("write", path, needed))?;
    let written = write_and_rename(&mut file, bytes, flush, &beside, path);
    if written.is_err() {
        let _ = fs::remove_file(&beside); // the first error is the one to tell
    }
    written.map_err(at_sized("write", path, needed))?;
    if flush == Flush::Yes {
        flush_one(folder)
    } else {
        Ok(())
    }
}

fn write_and_rename(
    file: &mut File,
    bytes: &[u8],
    flush: Flush,
    beside: &Path,
    path: &Path,
) -> io::Result<()> {
    file.write_all(bytes)?;
    if flush == Flush::Yes {
        file.sync_all()?;
    }
    fs::rename(beside, path)
}

/// A new file in `folder` that no other thread or process has.
pub(crate) fn create_beside(folder: &Path) -> io::Result<(PathBuf, File)> {
    create_unique(folder, UNFINISHED, |path| File::create_new(path))
}

/// A new folder in `folder` that no other thread or process has.
pub(crate) fn create_folder_beside(folder: &Path) -> io::Result<PathBuf> {
    create_unique(folder, UNFINISHED, |path| fs::create_dir(path)).map(|(path, ())| path)
}

/// Creates under the first name that nobody has: another machine may count as we do.
pub(crate) fn create_unique<T>(
    folder: &Path,
    prefix: &str,
    create: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{prefix}{}-{n}", std::process::id()));
        match create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|made| (path, made)),
        }
    }
}

/// The folder of a file, `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Puts a file's bytes, or a folder's names, on the disk. File systems that cannot do it for folders are let off.
pub(crate) fn flush_one(path: &Path) -> Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported) && path.is_dir() => Ok(()),
        other => other.map_err(at("flush", path)),
    }
}

/// Renames. Makes the new folder where it is missing.
pub(crate) fn rename_into(from: &Path, to: &Path) -> Result<()> {
    let folder = parent(to);
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(at("rename to", to)),
    }
    fs::create_dir_all(folder).map_err(at("create", folder))?;
    fs::rename(from, to).map_err(at("rename to", to))
}

/// Removes what a killed [`write_atomic`] left in a folder tree that nobody else writes to.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let entry = entry.map_err(at("list", folder))?;
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&path)?;
        } else if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
        {
            fs::remove_file(&path).map_err(at("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes a folder and all in it, if it is there, also where its owner has forbidden that.
pub(crate) fn remove_all(folder: &Path) -> Result<()> {
    let removed = match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(folder);
            fs::remove_dir_all(folder)
        }
        other => other,
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at("remove", folder)(e)),
        _ => Ok(()),
    }
}

/// Gives the owner of a tree of folders all rights to them, as far as they are the caller's. Links are not followed.
pub(crate) fn make_writable(folder: &Path) {
    let Ok(meta) = fs::symlink_metadata(folder) else {
        return;
    };
    if !meta.is_dir() {
        return;
    }
    let mode = meta.permissions().mode();
    // What cannot be changed shows in what is done with it next.
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        make_writable(&entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = write_atomic(&taken, b"new").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_sweep_removes_only_the_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join(format!("{UNFINISHED}7-0")), b"half").unwrap();
        fs::write(inner.join("last"), b"whole").unwrap();
        sweep(folder.path()).unwrap();
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }
}
