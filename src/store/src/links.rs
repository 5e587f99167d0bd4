//! Whether links in a folder of outputs stay in it, by their texts alone.
//! Unaware of the disk: what was found there, or what a record says, is an argument.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Links on the way of one; the kernel follows no more.
const MAX_LINKS: usize = 40;

/// Links by their paths below one folder, with what they hold.
pub(crate) type Links<'a> = BTreeMap<&'a str, &'a str>;

/// Whether the link at `path` leads to a place in the folder, or would if something lay there. The way is gone step by
/// step as the kernel does it: behind a link `..` is the folder around what that link leads to.
pub(crate) fn stays_inside(links: &Links<'_>, path: &str) -> bool {
    let Some(to) = links.get(path) else {
        return true;
    };
    let mut at: Vec<&str> = path.split('/').collect();
    at.pop();
    let mut way = Vec::new();
    let mut followed = 0;
    if !follow(to, &mut way) {
        return false;
    }
    while let Some(step) = way.pop() {
        match step {
            "" | "." => continue,
            ".." => {
                if at.pop().is_none() {
                    return false;
                }
                continue;
            }
            name => at.push(name),
        }
        if let Some(to) = links.get(at.join("/").as_str()) {
            at.pop();
            followed += 1;
            if followed > MAX_LINKS || !follow(to, &mut way) {
                return false;
            }
        }
    }
    true
}

/// Puts the steps of a link before those that are left. False for one that begins at the root of all.
fn follow<'a>(to: &'a str, way: &mut Vec<&'a str>) -> bool {
    way.extend(to.split('/').rev());
    !to.starts_with('/')
}

/// The first link below a folder that leads out of it; none whose name or text is not UTF-8, which no commit takes.
///
/// # Errors
/// Where a folder cannot be listed.
pub fn link_out_of(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in WalkDir::new(folder).min_depth(1) {
        let entry = entry?;
        let at = entry
            .path()
            .strip_prefix(folder)
            .ok()
            .and_then(Path::to_str);
        if let Some(at) = at.filter(|_| entry.path_is_symlink())
            && let Some(to) = fs::read_link(entry.path())?.to_str()
        {
            found.insert(at.to_owned(), to.to_owned());
        }
    }
    let links: Links<'_> = found.iter().map(|(at, to)| (&**at, &**to)).collect();
    let out = links.keys().find(|path| !stays_inside(&links, path));
    Ok(out.map(|path| folder.join(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(links: &[(&str, &str)]) -> Vec<bool> {
        let all: Links<'_> = links.iter().copied().collect();
        links.iter().map(|(at, _)| stays_inside(&all, at)).collect()
    }

    #[test]
    fn a_link_stays_inside_by_the_way_that_the_kernel_goes() {
        for (at, to) in [
            ("l", "a"),
            ("l", "./a//b/"),
            ("l", "."),
            ("d/l", ".."),
            ("d/l", "../a/../b"),
            ("l", "not/there"),
        ] {
            assert_eq!(stay(&[(at, to)]), [true], "{at} -> {to}");
        }
        for (at, to) in [
            ("l", ".."),
            ("l", "/"),
            ("l", "/etc/passwd"),
            ("d/l", "../.."),
            ("l", "a/../../b"),
            ("l", "../out/a"),
            ("l", "l"),
        ] {
            assert_eq!(stay(&[(at, to)]), [false], "{at} -> {to}");
        }
        // `d/e/up` is the outermost folder, so `..` behind it is outside, whatever the text looks like.
        assert_eq!(
            stay(&[("d/e/up", "../.."), ("x", "d/e/up/..")]),
            [true, false]
        );
        assert_eq!(stay(&[("d/e/up", ".."), ("x", "d/e/up/..")]), [true, true]);
        assert_eq!(stay(&[("a", "b"), ("b", "a")]), [false, false]);
        assert_eq!(stay(&[("a", "b"), ("b", "c")]), [true, true]);
        assert_eq!(stay(&[("a", "b/x"), ("b", "/tmp")]), [false, false]);
    }

    #[test]
    fn the_first_that_leads_out_is_found_on_the_disk() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        symlink("../a", at("d/good")).unwrap();
        assert_eq!(link_out_of(folder.path()).unwrap(), None);
        assert_eq!(link_out_of(&at("d")).unwrap(), Some(at("d/good")));
        symlink("/etc", at("bad")).unwrap();
        assert_eq!(link_out_of(folder.path()).unwrap(), Some(at("bad")));
    }
}
