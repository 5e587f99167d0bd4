//! What a stage reads outside, watched while it runs: as the plan found it when the stage begins, and not touched until
//! it has ended. Unaware of how the stage computes.
//!
//! ```text
//!   claim ── list, digest, note the way (`store::Watch`) ── as planned? ──> execute ── list, the same stats? ──> commit
//!                                                                              │
//!                                      the job: path, digest, size of each ────┤──> a worker reads those bytes or none
//!                                                                              └──> copies, the same stats? ──> a command
//! ```
//!
//! A command that reads copies alone has read what was planned from then on: what happens to the files themselves later is
//! said, and does not take its work away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use files::{Chosen, Pattern};
use spec::{Content, External, Kind, Listing, Outside, Stage};
use store::{Bytes, Digest, Store, Watch};

use crate::gather::{self, Files};
use crate::run::Watching;
use crate::session::{Session, keyed_program};

/// The outside inputs of one stage.
struct Outsiders {
    store: Store,
    stage: Stage,
    /// Its program, where that is in the key.
    program: Option<PathBuf>,
    lists: Vec<List>,
    watch: Watch,
    content: BTreeMap<PathBuf, Content>,
    /// Whether nobody reads the files any more.
    is_read: AtomicBool,
}

/// What was found at one outside path.
struct List {
    at: (Listing, PathBuf),
    /// The files that the stage reads; `None` where it does not come to read any.
    files: Option<Files>,
    /// What is left out of its folders.
    left_out: BTreeSet<PathBuf>,
}

/// Begins to watch what stage `at` reads outside; an error in words where that is not what was planned with.
pub fn watch(session: &Session, at: usize) -> Result<Box<dyn Watching>, String> {
    let stage = &session.pipeline.stages[at];
    let lists = lists(&stage.kind, &stage.external);
    let listed: Vec<PathBuf> = lists.iter().flat_map(folders).collect();
    let all = lists.iter().flat_map(|list| list.files.iter().flatten());
    // A program that is in the key is watched behind the files.
    let program = keyed_program(stage);
    let files = all.map(|(_, path)| path).chain(&program);
    let files: Vec<PathBuf> = files.cloned().collect();
    let (watch, digests) = session.store.watch(&listed, &files);
    let mut digests = digests.into_iter();
    let mut content = BTreeMap::new();
    for (list, external) in lists.iter().zip(&stage.external) {
        let path = &list.at.1;
        let now = list.files.as_ref().map(|files| {
            let digested = files.iter().zip(digests.by_ref());
            let known = digested.map(|((name, path), bytes)| {
                let Bytes { digest, size } = bytes.ok()?;
                let digested = digest.to_string();
                content.insert(
                    path.clone(),
                    Content {
                        digest: digested,
                        size,
                    },
                );
                Some((name.as_str(), digest))
            });
            known.collect::<Option<Vec<(&str, Digest)>>>()
        });
        let found = session.outside().get(&list.at);
        let planned = found.and_then(|found| found.as_ref().ok()).map(|files| {
            let read = files
                .iter()
                .filter(|(name, _)| stage.kind.wants(external.role, path, name));
            let read = read.map(|(name, digest)| (name.as_str(), *digest));
            Some(read.collect())
        });
        if now != planned {
            return Err(format!(
                "`{}` is not what was planned with any more",
                path.display()
            ));
        }
    }
    if let Some(path) = &program {
        let now = digests.next().and_then(Result::ok);
        let now = now.map(|bytes| bytes.digest.to_string());
        if now.is_none() || now != stage.program {
            return Err(format!(
                "the program `{}` is not what was planned with any more",
                files::Name(path)
            ));
        }
    }
    Ok(Box::new(Outsiders {
        store: session.store.clone(),
        stage: stage.clone(),
        program,
        lists,
        watch,
        content,
        is_read: AtomicBool::new(false),
    }))
}

impl Watching for Outsiders {
    fn fingerprint(&self) -> Option<Digest> {
        (!self.lists.is_empty()).then(|| self.watch.fingerprint())
    }

    fn content(&self) -> Outside {
        Outside::Planned(self.content.clone())
    }

    fn unchanged(&self) -> Result<(), String> {
        if self.is_read.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.look()
    }

    fn all_is_read(&self) -> Result<(), String> {
        // Whether a program is still the same is known when it has ended.
        if self.program.is_none() {
            self.look()?;
            self.is_read.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn changed_since(&self) -> Option<String> {
        let is_read = self.is_read.load(Ordering::Relaxed);
        is_read.then(|| self.look().err()).flatten()
    }
}

impl Outsiders {
    /// Whether nobody has touched anything until now.
    fn look(&self) -> Result<(), String> {
        let changed = |path: &Path| format!("`{}` changed while the stage ran", files::Name(path));
        let now = lists(&self.stage.kind, &self.stage.external);
        let mut pairs = self.lists.iter().zip(&now);
        if let Some((list, _)) = pairs.find(|(then, now)| then.files != now.files) {
            return Err(changed(&list.at.1));
        }
        // Another one may be found before it by now.
        if let Some(path) = &self.program
            && keyed_program(&self.stage).as_ref() != Some(path)
        {
            return Err(changed(path));
        }
        // What is left out may come and go, which the folder around it shows.
        let left_out = |lists: &[List]| -> BTreeSet<PathBuf> {
            lists
                .iter()
                .flat_map(|list| list.left_out.clone())
                .collect()
        };
        let (then, now) = (left_out(&self.lists), left_out(&now));
        let folders = then
            .symmetric_difference(&now)
            .filter_map(|path| path.parent());
        let folders: BTreeSet<PathBuf> = folders.filter_map(|at| at.canonicalize().ok()).collect();
        match self.store.moved(&self.watch, &folders) {
            Some(path) => Err(changed(&near(path))),
            None => Ok(()),
        }
    }
}

/// A path as it is seen from the working folder.
fn near(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let below = path.strip_prefix(here).map(Path::to_path_buf);
    below.unwrap_or(path)
}

/// The files that a stage reads now of each of its outside paths.
fn lists(kind: &Kind, external: &[External]) -> Vec<List> {
    let list = |external: &External| {
        let (role, path) = (external.role, &external.path);
        let found = gather::files(&external.listing, role, path);
        let at = (external.listing.clone(), path.clone());
        match found {
            Ok(mut listed) => {
                listed
                    .files
                    .retain(|(name, _)| kind.wants(role, path, name));
                List {
                    at,
                    files: Some(listed.files),
                    left_out: listed.left_out,
                }
            }
            Err(_) => List {
                at,
                files: None,
                left_out: BTreeSet::new(),
            },
        }
    };
    external.iter().map(list).collect()
}

/// The folders whose names decided which files there are: the outside path, where it is one, and those below it. Of a pattern
/// those alone that it fits: what else comes into a folder on the way, its own outputs perhaps, is not read.
fn folders(list: &List) -> Vec<PathBuf> {
    let (listing, path) = &list.at;
    let chosen = match listing {
        Listing::All(selection) => Some(selection.of(path)),
        Listing::Images { .. } | Listing::Masks | Listing::File => None,
    };
    let pattern = chosen.as_ref().and_then(Chosen::pattern);
    let root = pattern.map_or(path.as_path(), Pattern::fixed);
    let is_read = |folder: &Path| match pattern {
        None => true,
        Some(pattern) => {
            let inside = folder.strip_prefix(root).unwrap_or(folder);
            inside.ancestors().any(|folder| pattern.fits(folder))
        }
    };
    if !path.is_dir() && pattern.is_none() {
        return Vec::new();
    }
    let mut folders = vec![root.to_path_buf()];
    for (_, path) in list.files.iter().flatten() {
        let above = path.ancestors().skip(1);
        let inside = above.take_while(|folder| *folder != root && folder.starts_with(root));
        folders.extend(inside.map(Path::to_path_buf));
    }
    folders.retain(|folder| is_read(folder));
    folders.sort();
    folders.dedup();
    folders
}
