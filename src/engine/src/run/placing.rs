//! Puts what a command reads into its folder: real files, so that a program which asks where a file lies finds itself in
//! there, and what it writes changes nothing of anybody's. Unaware of commands, and of what is read.
//!
//! ```text
//!   the smallest first, until 64 MiB are used up ──> copies (that share blocks where the file system can)
//!   the others, within walls ──────────────────────> mounts that cannot be written
//!   the others, and all with `inputs: link` ───────> links
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use files::{Below, Ignored, Lost, Root};
use spec::Selection;

use super::walls::Shown;

/// Bytes of a stage's inputs that are copied; more would cost a disk too much for each try.
pub const MOST_COPIED: u64 = 64 << 20;

/// Of more files and folders than these each whole folder is one mount.
const MOST_MOUNTS: usize = 64;

/// What a file counts at least, as it takes a block and a copy its time: 16,384 empty ones are as much as is copied.
const BLOCK: u64 = 4096;

/// One file or folder that a command reads.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// Where it lies.
    pub from: PathBuf,
    /// Where the command sees it; nothing is there yet.
    pub at: PathBuf,
    /// What is left out of a folder of the project, which the stage's files were chosen by; `None` for a stage's result,
    /// which is read whole.
    pub left_out: Option<LeftOut>,
}

/// What is left out of a folder, and how the patterns see that.
#[derive(Clone, Debug)]
pub(super) struct LeftOut {
    pub ignored: Ignored,
    pub anchor: PathBuf,
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

/// What `files:` names at one path: the path itself, or what a pattern fits. `at` is the path, in the command's folder.
pub(super) fn chosen(selection: &Selection, path: &Path, at: &Path) -> io::Result<Vec<Input>> {
    let chosen = selection.of(path);
    let folder = match chosen.pattern() {
        Some(pattern) => pattern.folder_of(at, &selection.written),
        None => at.to_path_buf(),
    };
    let input = |root: Root| {
        Ok(Input {
            from: std::path::absolute(&root.path)?,
            at: if root.name.as_os_str().is_empty() {
                folder.clone()
            } else {
                folder.join(&root.name)
            },
            left_out: Some(LeftOut {
                ignored: chosen.ignored().clone(),
                anchor: root.anchor,
            }),
        })
    };
    chosen.roots()?.into_iter().map(input).collect()
}

impl Input {
    /// Whether it is a stage's result.
    pub(super) const fn is_stored(&self) -> bool {
        self.left_out.is_none()
    }

    /// Whether what lies at `inside` in it is left out.
    fn leaves_out(&self, inside: &Path) -> bool {
        let Some(LeftOut { ignored, anchor }) = &self.left_out else {
            return false;
        };
        let mut ways = inside.ancestors().filter(|way| !way.as_os_str().is_empty());
        ways.any(|way| ignored.covers(&anchor.join(way), self.from.join(way).is_dir()))
    }

    /// Whether what lies at this place in the command's folder is the input, or in it and not left out.
    pub(super) fn holds(&self, at: &Path) -> bool {
        let inside = at.strip_prefix(&self.at);
        inside.is_ok_and(|inside| !self.leaves_out(inside))
    }

    /// Whether it would lie at this place, were it not left out.
    pub(super) fn leaves_out_at(&self, at: &Path) -> bool {
        let inside = at.strip_prefix(&self.at);
        inside.is_ok_and(|inside| self.leaves_out(inside))
    }

    fn below(&self) -> Result<Below, Lost> {
        let (ignored, anchor) = match &self.left_out {
            Some(LeftOut { ignored, anchor }) => (ignored.clone(), anchor.clone()),
            None => (Ignored::nothing(), PathBuf::new()),
        };
        let root = Root {
            name: PathBuf::new(),
            path: self.from.clone(),
            anchor,
        };
        files::below(&root, &ignored)
    }

    /// Itself, or, of a folder of which something is left out, what is in there and is whole.
    fn whole_parts(self) -> io::Result<Vec<Self>> {
        if self.is_stored() || !self.from.is_dir() {
            return Ok(vec![self]);
        }
        let left_out: BTreeSet<PathBuf> = self.below()?.left_out.into_iter().collect();
        if left_out.is_empty() {
            return Ok(vec![self]);
        }
        let around: BTreeSet<&Path> = left_out
            .iter()
            .flat_map(|path| path.ancestors().skip(1))
            .collect();
        let mut parts = Vec::new();
        for folder in &around {
            for entry in fs::read_dir(self.from.join(folder))? {
                let name = folder.join(entry?.file_name());
                if !around.contains(name.as_path()) && !left_out.contains(&name) {
                    parts.push(self.part(&name));
                }
            }
        }
        parts.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(parts)
    }

    fn part(&self, name: &Path) -> Self {
        let within = |left_out: &LeftOut| LeftOut {
            anchor: left_out.anchor.join(name),
            ..left_out.clone()
        };
        Self {
            from: self.from.join(name),
            at: self.at.join(name),
            left_out: self.left_out.as_ref().map(within),
        }
    }
}

/// The inputs, and in place of folders of which something is left out all that is whole in them: only a whole folder can be
/// linked or mounted.
pub(super) fn whole_parts(inputs: Vec<Input>) -> io::Result<Vec<Input>> {
    let mut parts = Vec::with_capacity(inputs.len());
    for input in inputs {
        parts.extend(input.whole_parts()?);
    }
    Ok(parts)
}

/// The inputs without those that come with a folder around them, which is an input too.
pub(super) fn outermost(mut inputs: Vec<Input>) -> Vec<Input> {
    // One file may be named twice, as itself and by a pattern.
    inputs.sort_by(|a, b| a.at.cmp(&b.at));
    inputs.dedup_by(|b, a| a.at == b.at);
    let places: BTreeMap<PathBuf, Input> =
        inputs.iter().map(|i| (i.at.clone(), i.clone())).collect();
    let comes_along = |input: &Input| {
        let folder = input.at.ancestors().skip(1).find_map(|p| places.get(p));
        folder.is_some_and(|folder| {
            let inside = input.at.strip_prefix(&folder.at).unwrap_or(&input.at);
            !folder.leaves_out(inside)
        })
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

/// What each file and folder counts that a path of `files:` stands for, where it can be read.
pub(crate) fn sizes(selection: &Selection, path: &Path) -> Vec<u64> {
    let inputs = chosen(selection, path, path).unwrap_or_default();
    let trees = inputs.iter().filter_map(|input| tree(input).ok());
    trees.map(|tree| tree.bytes).collect()
}

/// The files that are read of a path; links are followed, as they were when it was digested.
fn tree(input: &Input) -> io::Result<Tree> {
    let mut tree = Tree {
        parts: Vec::new(),
        bytes: 0,
    };
    let is_folder = fs::metadata(&input.from)?.is_dir();
    if input.is_stored() || !is_folder {
        tree.add(&input.from, &PathBuf::new(), input.is_stored())?;
        return Ok(tree);
    }
    for file in input.below()?.files {
        tree.add(&file.path, &file.name, false)?;
    }
    Ok(tree)
}

impl Tree {
    /// All that lies in a folder of a result; whether there is anything.
    fn add_all(&mut self, from: &Path, name: &Path) -> io::Result<bool> {
        let mut has_any = false;
        for entry in fs::read_dir(from)? {
            let entry = entry?.file_name();
            has_any = true;
            self.add(&from.join(&entry), &name.join(&entry), true)?;
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
        } else if self.add_all(from, name)? {
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

/// Bytes, permissions, and the time of the last write: what a program could see of the file itself. It is always a new file in
/// a new folder. What a service that an earlier command asked has open or mounted (a container with that command's folder) is
/// beyond our reach, and would change what this one reads.
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
    let mut targets = BTreeSet::new();
    for Input { from, at, .. } in inputs {
        with_folder(at, || symlink(from, at))?;
        targets.insert(from.clone());
        targets.extend(links_out_of(from));
    }
    Ok(in_place(targets))
}

/// What is seen where it lies.
pub(super) fn in_place(paths: BTreeSet<PathBuf>) -> Vec<Shown> {
    few(paths).into_iter().map(Shown::in_place).collect()
}

/// A place for each, at which it is to be seen; a link where links lead out of it, which would lead nowhere from there, and
/// to each of many, as every place is a mount.
pub(super) fn bind(inputs: &[Input]) -> io::Result<Vec<Shown>> {
    if inputs.len() > MOST_MOUNTS {
        return link(inputs);
    }
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
pub(super) fn links_out_of(folder: &Path) -> BTreeSet<PathBuf> {
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
    while paths.len() > MOST_MOUNTS {
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
