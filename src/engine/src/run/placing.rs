//! Puts what a command reads into its folder: real files, so that a program which asks where a file lies finds itself in
//! there, and what it writes changes nothing of anybody's. Unaware of commands, and of what is read.
//!
//! ```text
//!   the smallest first, until 64 MiB are used up ──> copies (that share blocks where the file system can)
//!   the others, within walls ──────────────────────> mounts that cannot be written
//!   the others, and all with `inputs: link` ───────> links
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::walls::Shown;

/// Bytes of a stage's inputs that are copied; more would cost a disk too much for each try.
pub const MOST_COPIED: u64 = 64 << 20;

/// What a file counts at least, as it takes a block and a copy its time: 16,384 empty ones are as much as is copied.
const BLOCK: u64 = 4096;

/// One file or folder that a command reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// Where it lies.
    pub from: PathBuf,
    /// Where the command sees it; nothing is there yet.
    pub at: PathBuf,
    /// Whether it is a stage's result, and so read whole: what interpreters and version control leave is left out of
    /// folders of the project only.
    pub is_stored: bool,
}

/// What lies below an input, by its path in it; empty where the input is a file itself.
struct Part {
    from: PathBuf,
    name: PathBuf,
    kind: PartKind,
}

/// A stage's result is seen as it is stored. In folders of the project links are followed, as they were when these were
/// digested, and folders without files are none.
enum PartKind {
    File,
    Link,
    EmptyFolder,
}

/// What is to be copied, and how large it is.
struct Tree {
    parts: Vec<Part>,
    bytes: u64,
}

/// The inputs without those that come with a folder around them, which is an input too.
pub(super) fn outermost(mut inputs: Vec<Input>) -> Vec<Input> {
    let places: BTreeSet<PathBuf> = inputs.iter().map(|input| input.at.clone()).collect();
    let comes_along = |input: &Input| {
        let folder = input.at.ancestors().skip(1).find(|p| places.contains(*p));
        let inside = folder.and_then(|folder| input.at.strip_prefix(folder).ok());
        inside.is_some_and(|inside| !inside.iter().any(files::is_ignored))
    };
    inputs.retain(|input| !comes_along(input));
    inputs
}

/// Copies inputs, the smallest first, while they fit into [`MOST_COPIED`]. The ones that do not are left.
pub(super) fn copy_small(inputs: Vec<Input>) -> io::Result<Vec<Input>> {
    let mut measured = Vec::with_capacity(inputs.len());
    for input in inputs {
        let tree = tree(&input)?;
        let bytes = tree.bytes;
        measured.push(((tree, input), bytes));
    }
    let (small, large) = by_size(measured);
    for (tree, input) in small {
        copy(&tree, &input.at)?;
    }
    Ok(large.into_iter().map(|(_, input)| input).collect())
}

/// Those that are copied, the smallest first, and those that are not.
fn by_size<T>(mut measured: Vec<(T, u64)>) -> (Vec<T>, Vec<T>) {
    measured.sort_by_key(|(_, bytes)| *bytes);
    let (mut used, mut small, mut large) = (0_u64, Vec::new(), Vec::new());
    for (input, bytes) in measured {
        used = used.saturating_add(bytes);
        if used <= MOST_COPIED {
            small.push(input);
        } else {
            large.push(input);
        }
    }
    (small, large)
}

/// The names of those that will not be copied.
pub(crate) fn too_large(sizes: Vec<(String, u64)>) -> Vec<String> {
    by_size(sizes).1
}

/// What a file counts.
pub(crate) fn counted(bytes: u64) -> u64 {
    bytes.max(BLOCK)
}

/// What a file or folder of the project counts, where it can be read.
pub(crate) fn size(path: &Path) -> Option<u64> {
    let input = Input {
        from: path.to_path_buf(),
        at: PathBuf::new(),
        is_stored: false,
    };
    tree(&input).ok().map(|tree| tree.bytes)
}

/// The files that are read of a path; links are followed, as they were when it was digested.
fn tree(input: &Input) -> io::Result<Tree> {
    let mut tree = Tree {
        parts: Vec::new(),
        bytes: 0,
    };
    tree.add(&input.from, &PathBuf::new(), input.is_stored)?;
    Ok(tree)
}

impl Tree {
    /// All that lies in a folder; whether there is anything.
    fn add_all(&mut self, from: &Path, name: &Path, is_stored: bool) -> io::Result<bool> {
        let mut has_any = false;
        for entry in fs::read_dir(from)? {
            let entry = entry?.file_name();
            has_any = true;
            if is_stored || !files::is_ignored(&entry) {
                self.add(&from.join(&entry), &name.join(&entry), is_stored)?;
            }
        }
        Ok(has_any)
    }

    fn add(&mut self, from: &Path, name: &Path, is_stored: bool) -> io::Result<()> {
        let meta = if is_stored {
            fs::symlink_metadata(from)?
        } else {
            fs::metadata(from)?
        };
        let kind = if meta.is_symlink() {
            PartKind::Link
        } else if !meta.is_dir() {
            PartKind::File
        } else if self.add_all(from, name, is_stored)? || !is_stored {
            return Ok(());
        } else {
            PartKind::EmptyFolder
        };
        self.bytes = self.bytes.saturating_add(counted(meta.len()));
        self.parts.push(Part {
            from: from.to_path_buf(),
            name: name.to_path_buf(),
            kind,
        });
        Ok(())
    }
}

fn copy(tree: &Tree, at: &Path) -> io::Result<()> {
    for Part { from, name, kind } in &tree.parts {
        let to = if name.as_os_str().is_empty() {
            at.to_path_buf()
        } else {
            at.join(name)
        };
        with_folder(&to, || match kind {
            PartKind::File => copy_file(from, &to),
            PartKind::Link => symlink(fs::read_link(from)?, &to),
            PartKind::EmptyFolder => fs::create_dir_all(&to),
        })?;
    }
    Ok(())
}

/// Bytes, permissions, and the time of the last write: what a program could see of the file itself.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let meta = source.metadata()?;
    let mut target = File::create_new(to)?;
    io::copy(&mut source, &mut target)?; // shares blocks where the file system can
    target.set_permissions(meta.permissions())?;
    target.set_times(FileTimes::new().set_modified(meta.modified()?))
}

/// A link to each, read by whoever follows it. What it leads to, and the links in there, is to be seen where it lies.
pub(super) fn link(inputs: &[Input]) -> io::Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for Input { from, at, .. } in inputs {
        with_folder(at, || symlink(from, at))?;
        shown.push(Shown::in_place(from.clone()));
        let targets = few(links_out_of(from));
        shown.extend(targets.into_iter().map(Shown::in_place));
    }
    Ok(shown)
}

/// A place for each, at which it is to be seen; a link where links lead out of it, which would lead nowhere from there.
pub(super) fn bind(inputs: &[Input]) -> io::Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for input in inputs {
        let Input { from, at, .. } = input;
        if from.is_dir() && !links_out_of(from).is_empty() {
            shown.extend(link(std::slice::from_ref(input))?);
            continue;
        }
        if from.is_dir() {
            fs::create_dir_all(at)?;
        } else {
            with_folder(at, || File::create_new(at).map(drop))?;
        }
        shown.push(Shown::instead(at.clone(), from.clone()));
    }
    Ok(shown)
}

/// What links in a folder lead to that lies outside of it, step by step, and so on from there: as each names it and as it
/// is really called.
fn links_out_of(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(real) = folder.canonicalize() else {
        return BTreeSet::new();
    };
    let (mut found, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![real.clone()]);
    // Links and folders by their real places, of which there are not endlessly many, whatever leads in circles.
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if path.is_symlink() {
            let (Ok(to), Ok(target)) = (fs::read_link(&path), path.canonicalize()) else {
                continue; // it leads nowhere outside of walls, too
            };
            let named = spec::normal(&path.parent().unwrap_or(&path).join(to));
            open.extend(in_real_folder(&named)); // a link again, perhaps
            open.push(target.clone());
            found.extend([named, target]);
            continue;
        }
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let kind = entry.file_type();
            if kind.is_ok_and(|kind| kind.is_dir() || kind.is_symlink()) {
                open.push(entry.path());
            }
        }
    }
    let is_inside = |path: &PathBuf| path.starts_with(folder) || path.starts_with(&real);
    found.into_iter().filter(|path| !is_inside(path)).collect()
}

fn in_real_folder(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?.canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

/// Where there are many, folders in place of all that is in them: each one is a mount. Nothing else comes to be seen by
/// that.
fn few(mut paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    const MOST: usize = 64;
    while paths.len() > MOST {
        let folders = paths.iter().filter_map(|path| path.parent());
        let folders: BTreeSet<PathBuf> = folders.map(Path::to_path_buf).collect();
        let is_led_to = |entry: io::Result<fs::DirEntry>| {
            let path = entry.map(|entry| entry.path());
            path.is_ok_and(|path| paths.contains(&path))
        };
        let is_whole =
            |folder: &PathBuf| fs::read_dir(folder).is_ok_and(|mut all| all.all(is_led_to));
        let whole: BTreeSet<PathBuf> = folders.into_iter().filter(is_whole).collect();
        if whole.is_empty() {
            break;
        }
        paths.retain(|path| !path.parent().is_some_and(|folder| whole.contains(folder)));
        paths.extend(whole);
    }
    paths
}

/// Makes the folder around `at` where it is missing; it is there nearly always.
fn with_folder(at: &Path, make: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match make() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(at.parent().unwrap_or(at))?;
            make()
        }
        other => other,
    }
}
