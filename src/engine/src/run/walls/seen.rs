//! Names what a failed command missed: paths in its log that are in the project, and that it does not see.
//! Unaware of why it failed. What it did not print is not found.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Paths that a hint names.
const MOST: usize = 5;

/// Endings of modules that are named without one.
const ENDINGS: [&str; 8] = ["", ".py", ".js", ".mjs", ".cjs", ".ts", ".json", ".R"];

/// What is said of what may be seen and not written.
const READ_ONLY: &str = "Read-only file system";

/// What is said of what may be neither, where rules are the walls.
const DENIED: &str = "Permission denied";

/// Where a command and its files lie.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The project folder.
    pub root: &'a Path,
    /// The folder of the pipeline file in it.
    pub folder: &'a Path,
    /// The folder that mirrors the project.
    pub out: &'a Path,
    /// What it declares, within the project.
    pub files: &'a [PathBuf],
    /// Whether a path in the project is one of these, or of what they stand for and hold.
    pub declares: &'a dyn Fn(&Path) -> bool,
    /// Whether a stage makes a path in the project; it may not be there yet.
    pub makes: &'a dyn Fn(&Path) -> bool,
    /// Whether it sees no more than that.
    pub has_walls: bool,
}

impl Place<'_> {
    /// What `text` names that is in the project, by its path there, and not in the command's folder.
    pub fn undeclared(&self, text: &str) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        for line in text.lines().filter(|line| !line.contains(READ_ONLY)) {
            found.extend(words(line).into_iter().filter_map(|word| self.missed(word)));
            found.extend(
                quoted(line)
                    .into_iter()
                    .filter_map(|name| self.module(name)),
            );
        }
        found.into_iter().take(MOST).collect()
    }

    /// What `text` names in the project that it may not write, by its path there.
    pub fn unwritable(&self, text: &str) -> Option<PathBuf> {
        let outside = |word: &str| {
            let (path, is_own) = self.place(word)?;
            (!is_own).then_some(path)
        };
        let is_new = |path: &PathBuf| !self.root.join(path).exists();
        text.lines().find_map(|line| {
            let mut named = words(line).into_iter().filter_map(outside);
            if line.contains(READ_ONLY) {
                named.next()
            } else if line.contains(DENIED) {
                named.find(is_new)
            } else {
                None
            }
        })
    }

    /// The path in the project that a word names, and whether it is the command's own folder that it names it in.
    fn place(&self, word: &str) -> Option<(PathBuf, bool)> {
        let path = spec::normal(&self.out.join(self.folder).join(word));
        if let Ok(own) = path.strip_prefix(self.out) {
            return Some((own.to_path_buf(), true));
        }
        let real = super::view::real(self.root);
        let inside = path
            .strip_prefix(self.root)
            .or_else(|_| path.strip_prefix(real));
        inside.ok().map(|inside| (inside.to_path_buf(), false))
    }

    fn missed(&self, word: &str) -> Option<PathBuf> {
        let is_path = word.contains(['/', '.']) && word.chars().any(char::is_alphanumeric);
        let (path, is_own) = self.place(word).filter(|_| is_path)?;
        let is_kept = is_own || self.has_walls;
        (is_kept && self.is_missed(&path)).then_some(path)
    }

    /// A module beside the pipeline file, a declared file, or at the top.
    fn module(&self, name: &str) -> Option<PathBuf> {
        let is_name = |c: char| c.is_alphanumeric() || "_-./".contains(c);
        let is_module = name.chars().all(is_name) && name.chars().any(char::is_alphanumeric);
        if !is_module {
            return None;
        }
        let parts: PathBuf = name.split('.').filter(|part| !part.is_empty()).collect();
        let names = [
            PathBuf::from(name),
            parts.clone(),
            parts.components().take(1).collect(),
        ];
        let beside = self.files.iter().filter_map(|file| file.parent());
        let folders = beside.chain([self.folder, Path::new(""), Path::new("src")]);
        for folder in folders {
            for (name, ending) in names.iter().flat_map(|n| ENDINGS.map(|e| (n, e))) {
                let mut path = folder.join(name).into_os_string();
                path.push(ending);
                let path = spec::normal(Path::new(&path));
                if self.is_missed(&path) {
                    return Some(path);
                }
            }
        }
        None
    }

    fn is_missed(&self, path: &Path) -> bool {
        let is_plain = path.components().all(|c| matches!(c, Component::Normal(_)));
        let is_ours = ["cache", "reports"]
            .iter()
            .any(|ours| path.starts_with(ours));
        is_plain
            && !path.as_os_str().is_empty()
            && !is_ours
            && !(self.declares)(path)
            && !self.folder.starts_with(path)
            && (self.root.join(path).exists() || (self.makes)(path))
            && std::fs::symlink_metadata(self.out.join(path)).is_err()
    }
}

/// The path of `inside`, a path in the project, as a pipeline file in `folder` names it.
pub fn named_from(folder: &Path, inside: &Path) -> PathBuf {
    let common = folder.ancestors().find(|above| inside.starts_with(above));
    let common = common.unwrap_or(Path::new(""));
    let ups = folder.strip_prefix(common).unwrap_or(folder).components();
    let ups: PathBuf = ups.map(|_| "..").collect();
    ups.join(inside.strip_prefix(common).unwrap_or(inside))
}

/// What may be a path: between spaces, quotes, brackets and colons, and what stands in quotes as a whole.
fn words(line: &str) -> Vec<&str> {
    let separates = |c: char| c.is_whitespace() || is_quote(c) || "()[]{}<>,;:=|".contains(c);
    let trimmed = |word: &'_ str| -> usize { word.trim_end_matches('.').len() };
    let split = line.split(separates).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = split.map(|word| &word[..trimmed(word)]).collect();
    words.extend(quoted(line));
    words
}

fn is_quote(c: char) -> bool {
    "'\"`‘’“”".contains(c)
}

/// What stands in quotes.
fn quoted(line: &str) -> Vec<&str> {
    let parts: Vec<&str> = line.split(is_quote).collect();
    let inner = parts.len().saturating_sub(1);
    let inside = parts[..inner].iter().skip(1);
    inside.copied().filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_project_are_found_in_what_programs_say() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let out = root.join("cache/partial/k/out");
        for file in [
            "src/helper.py",
            "lib/a/b.js",
            "sub/my data.csv",
            "x.R",
            "sub/seen",
            "word",
        ] {
            std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            std::fs::write(root.join(file), "").unwrap();
        }
        std::fs::create_dir_all(out.join("sub")).unwrap();
        std::fs::write(out.join("sub/seen"), "").unwrap();
        let files = [PathBuf::from("src/main.py")];
        let place = Place {
            root,
            folder: Path::new("sub"),
            out: &out,
            files: &files,
            declares: &|path| path.starts_with("src/main.py"),
            makes: &|path| path.starts_with("results"),
            has_walls: true,
        };
        let here = root.display();
        for (said, expected) in [
            (
                "ModuleNotFoundError: No module named 'helper'",
                "src/helper.py",
            ),
            ("No module named 'helper.inner'", "src/helper.py"),
            (
                "cat: ../lib/a/b.js: No such file or directory",
                "lib/a/b.js",
            ),
            (&format!("Error: Cannot find module '{here}/lib/a/b'"), ""),
            (&format!("cannot open {here}/x.R."), "x.R"),
            (&format!("open(\"{}/x.R\")", out.display()), "x.R"),
            ("open('../results/x.csv')", "results/x.csv"),
            ("can't open 'my data.csv'", "sub/my data.csv"),
            ("there is no word, seen or ../sub/seen", ""),
            ("/etc/passwd ../../../x .. . / ''", ""),
        ] {
            let found = place.undeclared(said);
            let expected: Vec<PathBuf> = expected
                .split('|')
                .filter(|e| !e.is_empty())
                .map(Into::into)
                .collect();
            assert_eq!(found, expected, "{said}");
        }
        let denied = format!("bash: {here}/new: Read-only file system");
        assert_eq!(place.unwritable(&denied), Some("new".into()));
        assert_eq!(place.unwritable("new: Read-only file system"), None);
        let open = Place {
            has_walls: false,
            ..place
        };
        assert!(open.undeclared(&format!("{here}/x.R")).is_empty());
        assert_eq!(
            named_from(Path::new("a/b"), Path::new("a/c")),
            Path::new("../c")
        );
    }
}
