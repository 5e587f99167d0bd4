//! Tells a folder of somebody else's from a cache, before anything is written into it.
//! Unaware of whether a cache is whole: one that lost its file `format` is still a cache.

use std::path::Path;

/// What lies in a cache, whichever version of this program wrote it.
const OURS: [&str; 16] = [
    "format",
    "outputs",
    "records",
    "records.index",
    "partial",
    "locks",
    "logs",
    "damaged",
    "last",
    "memo",
    "spare",
    "leases",
    "pins",
    "trash",
    "trajectories",
    "runs",
];

/// The first thing in a folder that holds something, and nothing of a cache. Names that begin with a dot, as version
/// control puts them anywhere, and the tag and the note that people leave in caches say nothing.
pub fn foreign(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut first: Option<String> = None;
    for name in names {
        if OURS.contains(&name.as_str()) {
            return None;
        }
        let says_nothing = name.starts_with('.')
            || ["CACHEDIR.TAG", "README", "README.md", "lost+found"].contains(&name.as_str());
        if !says_nothing && first.as_ref().is_none_or(|known| name < *known) {
            first = Some(name);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_folder_with_other_things_alone_is_foreign() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(folder.path().join(name), "x").unwrap();
        assert_eq!(foreign(folder.path()), None);
        put("README.md");
        put(".gitignore");
        assert_eq!(foreign(folder.path()), None);
        put("b.png");
        put("a.png");
        assert_eq!(foreign(folder.path()).unwrap(), "a.png");
        std::fs::create_dir(folder.path().join("records")).unwrap();
        assert_eq!(foreign(folder.path()), None);
        assert_eq!(foreign(&folder.path().join("none")), None);
    }

    #[test]
    fn a_new_cache_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        crate::Store::open(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join("format")).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_known = name.starts_with('.') || OURS.contains(&name.as_str());
            assert!(is_known, "{name}");
        }
    }
}
