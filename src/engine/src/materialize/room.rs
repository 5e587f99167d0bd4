//! Makes room where an output is put: what an earlier result has put there goes, a person's work is moved beside.
//! Unaware of what is put there.

use std::fs;
use std::path::{Path, PathBuf};

use super::earlier::{Earlier, remove};
use crate::error::Error;
use crate::session::Session;

/// Makes room for the output `path` of a stage: on the way to it too, where a file, or a link of an earlier result, lies in
/// place of a folder.
pub(super) fn make(
    session: &Session,
    earlier: &mut Earlier<'_>,
    stage: usize,
    path: &Path,
) -> Result<(), Error> {
    let mut way: Vec<&Path> = path.ancestors().skip(1).collect();
    way.reverse();
    for folder in way {
        let full = session.root.join(folder);
        let is_in_the_way = fs::symlink_metadata(&full).is_ok_and(|meta| {
            // A person may lead to a folder elsewhere in the project.
            meta.is_file() || meta.is_symlink() && earlier.put(stage, folder, &full)
        });
        if is_in_the_way {
            clear(session, earlier, stage, folder)?;
        }
    }
    let full = session.root.join(path);
    match fs::symlink_metadata(&full) {
        Err(_) => Ok(()),
        // An empty folder is nobody's work.
        Ok(meta) if meta.is_dir() && fs::remove_dir(&full).is_ok() => Ok(()),
        Ok(_) => clear(session, earlier, stage, path),
    }
}

/// Takes away what lies at `path`.
fn clear(
    session: &Session,
    earlier: &mut Earlier<'_>,
    stage: usize,
    path: &Path,
) -> Result<(), Error> {
    let full = session.root.join(path);
    if earlier.put(stage, path, &full) {
        return remove(&session.root, &full);
    }
    let beside = move_beside(session, &full)?;
    session.warn(&format!(
        "`{}` is not what was put there; yours is kept as `{}`",
        files::Name(path),
        files::Name(&beside)
    ));
    Ok(())
}

/// Renames to the first free `<name>.kept-<n>`, or to the one that has the same bytes.
fn move_beside(session: &Session, full: &Path) -> Result<PathBuf, Error> {
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    let kept = (1..).map(|n| full.with_file_name(format!("{name}.kept-{n}")));
    let is_free = |at: &PathBuf| fs::symlink_metadata(at).is_err() || is_same(session, at, full);
    let beside = kept.into_iter().find(is_free);
    let beside = beside.unwrap_or_else(|| full.with_extension("kept"));
    fs::rename(full, &beside).map_err(|e| {
        let message = format!("cannot move `{}` aside: {e}", files::Name(full));
        Error::failed(message, "move it yourself, and run again")
    })?;
    Ok(beside)
}

/// Whether two regular files hold the same bytes.
fn is_same(session: &Session, one: &Path, other: &Path) -> bool {
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    let digest = |path: &Path| session.store.digest(path).ok();
    is_file(one) && is_file(other) && digest(one).is_some_and(|one| digest(other) == Some(one))
}
