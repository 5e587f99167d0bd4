//! Which files a path of a pipeline file stands for: a file, all in a folder, or what a pattern fits, without what is left
//! out. The one walk through folders that others have filled.
//! Unaware of what is done with the files.
//!
//! ```text
//!   path is there as it is written ──> the one root         ─┐
//!   data/*.csv ── walk below `data` ──> a root for each fit ─┴── below each: all files but what `Ignored` leaves out
//! ```

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::{Name, Pattern};

/// Names that are left out of folders unless somebody wants them: what interpreters, version control and file managers
/// leave there. One that is named itself is read.
pub const IGNORED: [&str; 3] = ["__pycache__", ".git", ".DS_Store"];

/// More files and folders below one folder are not gone through: links can make any number of them.
pub const MOST_ENTRIES: usize = 1 << 20;

/// What is left out of folders: [`IGNORED`], and what patterns say, the last one that fits first.
#[derive(Clone, Debug, Default)]
pub struct Ignored(Rules);

#[derive(Clone, Debug, Default)]
enum Rules {
    /// The names alone.
    #[default]
    Names,
    /// Lines, the names in front.
    Lines(Arc<Gitignore>),
    /// None.
    Nothing,
}

impl Ignored {
    /// Nothing is left out.
    pub const fn nothing() -> Self {
        Self(Rules::Nothing)
    }

    /// The patterns are lines of a `.gitignore`.
    ///
    /// # Errors
    /// The index of the first line that is no pattern, and why.
    pub fn new(patterns: &[String]) -> Result<Self, (usize, String)> {
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let mut all = GitignoreBuilder::new("");
        for name in IGNORED {
            let added = all.add_line(None, name);
            added.map_err(|e| (0, e.to_string()))?;
        }
        for (at, line) in patterns.iter().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                return Err((at, "it is empty or a comment".into()));
            }
            all.add_line(None, line).map_err(|e| (at, e.to_string()))?;
        }
        let built = all.build().map_err(|e| (0, e.to_string()))?;
        Ok(Self(Rules::Lines(Arc::new(built))))
    }

    /// Whether an entry of a folder is left out. What lies in one that is, is too.
    pub fn covers(&self, path: &Path, is_folder: bool) -> bool {
        match &self.0 {
            Rules::Names => path.file_name().is_some_and(is_ignored),
            Rules::Lines(lines) => lines.matched(path, is_folder).is_ignore(),
            Rules::Nothing => false,
        }
    }
}

/// Whether this is one of [`IGNORED`].
fn is_ignored(name: &OsStr) -> bool {
    IGNORED.iter().any(|ignored| name == *ignored)
}

/// What a path stands for.
#[derive(Clone, Debug)]
pub struct Chosen {
    path: PathBuf,
    pattern: Option<Pattern>,
    anchor: PathBuf,
    ignored: Ignored,
}

/// A file or a folder that is read, whole but for what is left out.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its path in the folder that a pattern begins in; empty where it is the path itself.
    pub name: PathBuf,
    /// Where it lies.
    pub path: PathBuf,
    /// How patterns of what is left out see it.
    pub anchor: PathBuf,
}

/// What is below a root.
#[derive(Debug, Default)]
pub struct Below {
    /// The files that are read.
    pub files: Vec<Found>,
    /// Files and folders that are left out, by path in the root.
    pub left_out: Vec<PathBuf>,
}

impl Below {
    /// The names of [`IGNORED`] that were left out.
    pub fn by_default(&self) -> BTreeSet<&'static str> {
        let names = self.left_out.iter().filter_map(|path| path.file_name());
        let ignored = names.filter_map(|name| IGNORED.iter().find(|ignored| name == **ignored));
        ignored.copied().collect()
    }
}

/// A file below a root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its path in the root.
    pub name: PathBuf,
    /// Where it lies, as the root's path goes on.
    pub path: PathBuf,
}

impl Chosen {
    /// `path` is `written`, below the folder of the file that it is written in. One that is there as it is written is no
    /// pattern, whatever is in it.
    pub fn new(path: &Path, written: &Path, ignored: Ignored) -> Self {
        let is_there = || path.symlink_metadata().is_ok();
        let pattern = Pattern::parse(written).ok().flatten();
        let pattern = pattern.filter(|_| !is_there()).map(|pattern| {
            let folder = pattern.folder_of(path, written);
            pattern.below(folder)
        });
        Self {
            path: path.to_path_buf(),
            anchor: anchor(written, pattern.is_some()),
            pattern,
            ignored,
        }
    }

    /// The pattern, with the folder that it begins in.
    pub const fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// What is left out.
    pub const fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    /// The path, whether it is there or not, or what the pattern fits, in order of names.
    ///
    /// # Errors
    /// [`Lost`] on the way.
    pub fn roots(&self) -> Result<Vec<Root>, Lost> {
        let Some(pattern) = &self.pattern else {
            return Ok(vec![Root {
                name: PathBuf::new(),
                path: self.path.clone(),
                anchor: self.anchor.clone(),
            }]);
        };
        let is_out = |name: &Path, is_folder| {
            self.ignored.covers(&self.anchor.join(name), is_folder)
                || is_folder && is_written_by_runs(&pattern.fixed().join(name))
        };
        let names = fitting(pattern, true, &is_out)?;
        let root = |name: PathBuf| Root {
            path: pattern.fixed().join(&name),
            anchor: self.anchor.join(&name),
            name,
        };
        Ok(names.into_iter().map(root).collect())
    }
}

/// How patterns of what is left out see a path: from the pipeline file on, and a folder elsewhere as if it lay beside that.
fn anchor(written: &Path, is_pattern: bool) -> PathBuf {
    let pattern = Pattern::parse(written)
        .ok()
        .flatten()
        .filter(|_| is_pattern);
    let written = pattern.as_ref().map_or(written, Pattern::fixed);
    let is_elsewhere = |c: Component<'_>| !matches!(c, Component::Normal(_) | Component::CurDir);
    if written.components().any(is_elsewhere) {
        return written.file_name().map(PathBuf::from).unwrap_or_default();
    }
    let names = written.components().filter(|c| *c != Component::CurDir);
    names.collect()
}

/// What a pattern fits in its folder, by path in there and in order of names; what lies in a folder that it fits comes with
/// that. `leave_out` is asked of each path on the way and whether it is a folder.
///
/// # Errors
/// [`Lost`] on the way. A folder that is not there holds nothing.
pub fn fitting(
    pattern: &Pattern,
    follows_links: bool,
    leave_out: &dyn Fn(&Path, bool) -> bool,
) -> Result<Vec<PathBuf>, Lost> {
    let folder = match pattern.fixed() {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let walk = Walk::new(folder, follows_links);
    walk.run(&mut |name, is_folder| {
        if leave_out(name, is_folder) {
            return Step::Over;
        }
        if pattern.fits(name) {
            found.push(name.to_path_buf());
            return Step::Over;
        }
        if pattern.leads_into(name) {
            Step::Into
        } else {
            Step::Over
        }
    })?;
    Ok(found)
}

/// Whether this is the folder of a cache.
pub fn is_cache(folder: &Path) -> bool {
    let format = crate::read_to_string(&folder.join("format"), 80);
    format.is_ok_and(|text| text.starts_with("pipeline cache "))
}

/// Whether this is the folder of a cache, or the one beside it that holds reports: each run makes them other ones.
fn is_written_by_runs(folder: &Path) -> bool {
    let is_beside = || {
        let project = folder.parent();
        project.is_some_and(|project| is_cache(&project.join("cache")))
    };
    is_cache(folder) || folder.ends_with("reports") && is_beside()
}

/// Every file below a folder but what is left out, a cache and reports, in order of names; links are followed.
///
/// # Errors
/// [`Lost`] on the way.
pub fn below(root: &Root, ignored: &Ignored) -> Result<Below, Lost> {
    let mut all = Below::default();
    Walk::new(&root.path, true).run(&mut |name, is_folder| {
        let is_out = ignored.covers(&root.anchor.join(name), is_folder)
            || is_folder && is_written_by_runs(&root.path.join(name));
        if is_out {
            all.left_out.push(name.to_path_buf());
            return Step::Over;
        }
        if !is_folder {
            all.files.push(Found {
                name: name.to_path_buf(),
                path: root.path.join(name),
            });
        }
        Step::Into
    })?;
    Ok(all)
}

/// Where a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What is in a folder is next.
    Into,
    /// It is not gone into.
    Over,
}

/// A way through all folders below one, in order of names.
pub struct Walk<'a> {
    folder: &'a Path,
    most: usize,
    entries: WalkDir,
}

impl<'a> Walk<'a> {
    /// Links are looked behind, or are entries that are no folders.
    pub fn new(folder: &'a Path, follows_links: bool) -> Self {
        let walk = WalkDir::new(folder).min_depth(1).sort_by_file_name();
        Self {
            folder,
            most: MOST_ENTRIES,
            entries: walk.follow_links(follows_links).follow_root_links(true),
        }
    }

    /// Asks about each entry: its path in the folder, and whether it is a folder. A link that leads nowhere is an entry too.
    ///
    /// # Errors
    /// [`Lost`] at the first entry that cannot be read, leads back, or is one too many.
    pub fn run(self, visit: &mut dyn FnMut(&Path, bool) -> Step) -> Result<(), Lost> {
        let mut entries = self.entries.into_iter();
        let mut left = self.most;
        let inside = |path: &Path| path.strip_prefix(self.folder).unwrap_or(path).to_path_buf();
        while let Some(entry) = entries.next() {
            let at = |entry: &DirEntry| entry.path().to_path_buf();
            let path = match &entry {
                Ok(entry) => at(entry),
                Err(error) => error.path().unwrap_or(self.folder).to_path_buf(),
            };
            let lost = |why| Lost {
                path: path.clone(),
                why,
            };
            left = left.checked_sub(1).ok_or_else(|| lost(Why::Many))?;
            match entry {
                Ok(entry) => {
                    let is_folder = entry.file_type().is_dir();
                    if visit(&inside(&path), is_folder) == Step::Over && is_folder {
                        entries.skip_current_dir();
                    }
                }
                Err(error) => {
                    let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
                    let is_back = error.loop_ancestor().is_some();
                    // What is passed over need not lead anywhere.
                    let step = is_link.then(|| visit(&inside(&path), is_back));
                    if step == Some(Step::Over) || (is_link && !is_back) {
                        continue;
                    }
                    return Err(lost(if is_back {
                        Why::Back
                    } else {
                        Why::Io(
                            error
                                .into_io_error()
                                .unwrap_or_else(|| io::ErrorKind::Other.into()),
                        )
                    }));
                }
            }
        }
        Ok(())
    }
}

/// A walk that could not be ended.
#[derive(Debug)]
pub struct Lost {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Back,
    Many,
    Io(io::Error),
}

impl Lost {
    /// Where it ended, for callers that call it otherwise than it was gone to.
    pub const fn path_mut(&mut self) -> &mut PathBuf {
        &mut self.path
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Name(&self.path);
        match &self.why {
            Why::Back => write!(
                f,
                "`{path}` leads back to a folder that it lies in; name files, or remove the link"
            ),
            Why::Many => write!(
                f,
                "more than {MOST_ENTRIES} files and folders are below it, up to `{path}`; name smaller folders"
            ),
            Why::Io(error) => write!(f, "cannot read `{path}`: {error}"),
        }
    }
}

impl std::error::Error for Lost {}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        Self::other(lost)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn root(path: PathBuf) -> Root {
        Root {
            name: PathBuf::new(),
            path,
            anchor: PathBuf::new(),
        }
    }

    /// No ring, and 2^18 paths to one file. The kernel follows at most 40 links in a path, and may count each twice (it
    /// starts a look-up anew where another thread disturbs it).
    #[test]
    fn links_that_multiply_paths_are_followed_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let level = |n: usize| folder.path().join(format!("level{n}"));
        for n in 0..18 {
            std::fs::create_dir(level(n)).unwrap();
            for name in ["a", "b"] {
                let to = format!("../level{}", n + 1);
                std::os::unix::fs::symlink(to, level(n).join(name)).unwrap();
            }
        }
        std::fs::create_dir(level(18)).unwrap();
        std::fs::write(level(18).join("file"), "").unwrap();
        let first = level(0);
        let walk = Walk {
            most: 1000,
            ..Walk::new(&first, true)
        };
        let why = walk.run(&mut |_, _| Step::Into).unwrap_err().to_string();
        assert!(why.starts_with("more than "), "{why}");
        let all = below(&root(level(13)), &Ignored::default()).unwrap().files;
        assert_eq!(all.len(), 32);
        assert_eq!(all[1].name, Path::new("a/a/a/a/b/file"));
        assert_eq!(all[1].path, level(13).join("a/a/a/a/b/file"));
    }

    #[test]
    fn the_last_line_that_fits_counts() {
        let lines = ["*.log", "!keep.log", "lib/raw/", "!.git", "/top"].map(str::to_owned);
        let ignored = Ignored::new(&lines).unwrap();
        for (path, is_folder, is_out) in [
            ("a/x.log", false, true),
            ("a/keep.log", false, false),
            ("lib/raw", true, true),
            ("lib/raw", false, false),
            ("more/lib/raw", true, false),
            ("a/.git", true, false),
            ("a/__pycache__", true, true),
            ("top", false, true),
            ("a/top", false, false),
        ] {
            assert_eq!(ignored.covers(Path::new(path), is_folder), is_out, "{path}");
        }
        for wrong in ["", " ", "# a", "[z-a]"] {
            let lines = ["x".to_owned(), wrong.to_owned()];
            assert_eq!(Ignored::new(&lines).unwrap_err().0, 1, "{wrong}");
        }
    }

    #[test]
    fn what_is_elsewhere_counts_as_if_it_lay_beside() {
        for (written, expected) in [
            ("lib/a", "lib/a"),
            ("./lib", "lib"),
            (".", ""),
            ("../x/lib", "lib"),
            ("/data/lib", "lib"),
            ("..", ""),
        ] {
            assert_eq!(
                anchor(Path::new(written), false),
                Path::new(expected),
                "{written}"
            );
        }
        assert_eq!(anchor(Path::new("../x/*/a"), true), Path::new("x"));
    }
}
