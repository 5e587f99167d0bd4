//! Puts what a command reads into its folder: real files, so that a program which asks where a file lies finds itself in
//! there, and what it writes changes nothing of anybody's. Unaware of commands, and of what is read.
//!
//! ```text
//!   the smallest first, until 64 MiB are used up ──> copies (that share blocks where the file system can)
//!   the others, and all with `inputs: link` ───────> links
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

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

/// A file below an input, by its path in it; empty where the input is a file itself.
struct Part {
    from: PathBuf,
    name: PathBuf,
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
        measured.push((tree(&input)?, input));
    }
    measured.sort_by_key(|(tree, _)| tree.bytes);
    let (mut used, mut left) = (0_u64, Vec::new());
    for (tree, input) in measured {
        used = used.saturating_add(tree.bytes);
        if used <= MOST_COPIED {
            copy(&tree, &input.at)?;
        } else {
            left.push(input);
        }
    }
    Ok(left)
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
    fn add(&mut self, from: &Path, name: &Path, is_stored: bool) -> io::Result<()> {
        let meta = fs::metadata(from)?;
        if meta.is_dir() {
            for entry in fs::read_dir(from)? {
                let entry = entry?.file_name();
                if is_stored || !files::is_ignored(&entry) {
                    self.add(&from.join(&entry), &name.join(&entry), is_stored)?;
                }
            }
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(meta.len().max(BLOCK));
        self.parts.push(Part {
            from: from.to_path_buf(),
            name: name.to_path_buf(),
        });
        Ok(())
    }
}

fn copy(tree: &Tree, at: &Path) -> io::Result<()> {
    for Part { from, name } in &tree.parts {
        let to = if name.as_os_str().is_empty() {
            at.to_path_buf()
        } else {
            at.join(name)
        };
        with_folder(&to, || copy_file(from, &to))?;
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

/// A link to each, read by whoever follows it.
pub(super) fn link(inputs: &[Input]) -> io::Result<()> {
    inputs
        .iter()
        .try_for_each(|Input { from, at, .. }| with_folder(at, || symlink(from, at)))
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
