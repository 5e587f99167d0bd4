//! The project folder, which holds `cache/` and `reports/`: found by one rule for all commands, and whether it can hold a
//! cache: what is wrong is said of itself, before anything is looked for in it.
//! Unaware of what is in a cache.
//!
//! ```text
//!   a file's folder, or the working folder ── upwards, the nearest: `pipelines/`? ──> the folder above that
//!                                          │         a `cache` that is ours, empty or a link? ──> that one
//!                                          └─ no sign up to a repository (`.git`) ──> itself
//!   --root DIR ── there? a folder? no cache itself? ──> DIR/cache ── a folder? ours or empty? ──> the store
//! ```

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

pub use files::is_cache;

use crate::error::Error;

/// The environment variable that names the cache folder, in place of `cache/` in the project folder.
pub const VARIABLE: &str = "PIPELINE_CACHE";

/// The project folder of a pipeline file, where none is named.
pub fn of_file(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    of_folder(absolute.parent().unwrap_or(Path::new("/")))
}

/// The project folder that a folder belongs to, by the nearest sign upwards: a folder `pipelines` lies in it, or it holds a
/// cache. Without one it is the folder itself; nothing is looked for above a repository.
pub fn of_folder(folder: &Path) -> PathBuf {
    let own = std::path::absolute(folder).map_or_else(|_| folder.to_owned(), |f| spec::normal(&f));
    for at in own.ancestors() {
        let above = at
            .parent()
            .filter(|_| at.file_name().is_some_and(|n| n == "pipelines"));
        if let Some(above) = above {
            return above.to_owned();
        }
        // A command in its own folder lies within a cache, of which walls show an empty folder: it is no part of that project.
        let cache = at.join("cache");
        if !own.starts_with(&cache) && is_sign(&cache) {
            return at.to_owned();
        }
        if at.join(".git").exists() {
            break;
        }
    }
    own
}

/// The cache of a project folder: the folder that the variable names, else `cache` in it.
pub fn cache(root: &Path) -> PathBuf {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    named.map_or_else(
        || root.join("cache"),
        |named| std::path::absolute(&named).unwrap_or_else(|_| named.into()),
    )
}

/// Lets the group of a cache write what is written into it, where the group may write in its folder: two users of a
/// project share it so. Of this whole process and what it starts.
pub fn share_with_group(cache: &Path) {
    let there = cache
        .ancestors()
        .find_map(|folder| fs::metadata(folder).ok());
    let is_shared = there.is_some_and(|meta| meta.mode() & 0o2020 == 0o2020);
    if is_shared {
        let mask = rustix::process::umask(Mode::RWXO);
        rustix::process::umask(mask & !Mode::RWXG);
    }
}

/// The root, looked at; `given` is what `--root` says.
pub fn check(root: &Path, given: Option<&Path>) -> Result<(), Error> {
    let shown = given.unwrap_or(root).display();
    let from = if given.is_some() { " (--root)" } else { "" };
    let name = format!("`{shown}`{from}");
    match fs::metadata(root) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            let message = format!("{name} is not a folder");
            return Err(Error::usage(message, EXPECTED));
        }
        // Then the file that lies in it is missing too, and that is what is said.
        Err(e) if e.kind() == ErrorKind::NotFound && given.is_none() => return Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(missing(root, &name)),
        Err(e) => return Err(unreachable(&name, &e)),
    }
    share_with_group(&cache(root));
    if given.is_some() && is_cache(root) {
        let above = match given.and_then(|g| g.to_str()) {
            Some("." | "./") | None => "..".to_owned(),
            Some(text) => match text.trim_end_matches('/').rsplit_once('/') {
                Some((above, _)) => format!("{above}/"),
                None => ".".to_owned(),
            },
        };
        let message = format!("{name} is a cache, not the folder that holds one");
        let hint = format!("write `--root {above}`");
        return Err(Error::usage(message, hint));
    }
    check_cache(&cache(root))
}

const EXPECTED: &str = "`--root` is the folder that holds cache/ and reports/";

fn missing(root: &Path, name: &str) -> Error {
    if fs::symlink_metadata(root).is_ok() {
        return Error::usage(format!("{name} is a link that leads nowhere"), EXPECTED);
    }
    if files::is_pattern(root) {
        return Error::usage(format!("{name} {}", files::NOT_EXPANDED), EXPECTED);
    }
    let message = format!("there is no folder {name}");
    let hint = format!("{EXPECTED}: check the spelling, or make the folder with `mkdir`");
    Error::usage(message, hint)
}

fn unreachable(name: &str, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "check the owner and mode of the folders above it",
        ErrorKind::NotADirectory => "something in this path is a file, not a folder",
        _ => EXPECTED,
    };
    Error::usage(format!("cannot look into {name}: {error}"), hint)
}

/// Whether a `cache` beside a file says that the project begins here: one that holds a cache, or is kept free for one. A link
/// is such a sign wherever it leads: the disk behind it may not be mounted now, and to compute elsewhere is no answer to that.
fn is_sign(cache: &Path) -> bool {
    cache.is_symlink() || is_cache(cache) || (cache.is_dir() && store::foreign(cache).is_none())
}

fn check_cache(cache: &Path) -> Result<(), Error> {
    let name = format!("`{}`", cache.display());
    let instead = "move it away, or name another folder with `--root`";
    match fs::metadata(cache) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            let message = format!("cannot create {name}: it is there and is not a folder");
            return Err(Error::failed(message, instead));
        }
        Err(_) if fs::symlink_metadata(cache).is_ok_and(|m| m.is_symlink()) => {
            let message = format!("{name} is a link that cannot be followed");
            let hint = "make the folder that it leads to, or remove the link";
            return Err(Error::usage(message, hint));
        }
        Err(_) => return Ok(()),
    }
    // A disk of its own was put there for it, whatever else that holds.
    let device = |path: Option<&Path>| Some(fs::metadata(path?).ok()?.dev());
    let is_mounted = device(Some(cache)) != device(cache.parent());
    match store::foreign(cache) {
        Some(found) if !is_mounted => Err(Error::usage(
            format!("{name} is not a cache: it holds `{found}` and nothing of this program"),
            instead,
        )),
        _ => Ok(()),
    }
}
