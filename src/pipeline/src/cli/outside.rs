//! What a stage reads outside, watched while it runs: as the plan found it when the stage begins, and not touched until
//! it has ended. Unaware of how the stage computes.
//!
//! ```text
//!   claim ── list, digest, note the way (`store::Watch`) ── as planned? ──> execute ── list, the same stats? ──> commit
//! ```

use std::path::{Path, PathBuf};

use spec::Kind;
use store::{Digest, Store, Watch};

use super::gather::{self, Files};
use super::session::Session;
use engine::run::Watching;
use plan::{self, Listing};

/// The outside inputs of one stage.
struct Outsiders {
    store: Store,
    kind: Kind,
    lists: Vec<List>,
    watch: Watch,
}

/// What was found at one outside path.
#[derive(PartialEq, Eq)]
struct List {
    at: (Listing, PathBuf),
    /// The files that the stage reads; `None` where it does not come to read any.
    files: Option<Files>,
}

/// Begins to watch what stage `at` reads outside; an error in words where that is not what was planned with.
pub fn watch(session: &Session, at: usize) -> Result<Box<dyn Watching>, String> {
    let kind = &session.pipeline.stages[at].kind;
    let lists = lists(kind);
    let listed: Vec<PathBuf> = lists.iter().flat_map(folders).collect();
    let all = lists.iter().flat_map(|list| list.files.iter().flatten());
    let files: Vec<PathBuf> = all.map(|(_, path)| path.clone()).collect();
    let (watch, digests) = session.store.watch(&listed, &files);
    let mut digests = digests.into_iter();
    for (list, (field, _)) in lists.iter().zip(kind.outside()) {
        let path = &list.at.1;
        let now = list.files.as_ref().map(|files| {
            let digested = files.iter().zip(digests.by_ref());
            let known = digested.map(|((name, _), digest)| Some((name.as_str(), digest.ok()?)));
            known.collect::<Option<Vec<(&str, Digest)>>>()
        });
        let found = session.outside().get(&list.at);
        let planned = found.and_then(|found| found.as_ref().ok()).map(|files| {
            let read = files
                .iter()
                .filter(|(name, _)| plan::reads(kind, field, path, name));
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
    Ok(Box::new(Outsiders {
        store: session.store.clone(),
        kind: kind.clone(),
        lists,
        watch,
    }))
}

impl Watching for Outsiders {
    fn fingerprint(&self) -> Option<Digest> {
        (!self.lists.is_empty()).then(|| self.watch.fingerprint())
    }

    fn unchanged(&self) -> Result<(), String> {
        let changed = |path: &Path| format!("`{}` changed while the stage ran", path.display());
        let now = lists(&self.kind);
        let mut pairs = self.lists.iter().zip(&now);
        if let Some((list, _)) = pairs.find(|(then, now)| then != now) {
            return Err(changed(&list.at.1));
        }
        match self.store.moved(&self.watch) {
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
fn lists(kind: &Kind) -> Vec<List> {
    let list = |(field, path): (&str, std::borrow::Cow<'_, Path>)| {
        let at = (Listing::of(kind, field), path.into_owned());
        let files = gather::files(at.0, field, &at.1)
            .ok()
            .map(|(mut files, _)| {
                files.retain(|(name, _)| plan::reads(kind, field, &at.1, name));
                files
            });
        List { at, files }
    };
    kind.outside().into_iter().map(list).collect()
}

/// The folders whose names decided which files there are: the outside path, where it is one, and those below it.
fn folders(list: &List) -> Vec<PathBuf> {
    let root = &list.at.1;
    if !root.is_dir() {
        return Vec::new();
    }
    let mut folders = vec![root.clone()];
    for (_, path) in list.files.iter().flatten() {
        let above = path.ancestors().skip(1);
        let inside = above.take_while(|folder| *folder != root && folder.starts_with(root));
        folders.extend(inside.map(Path::to_path_buf));
    }
    folders.sort();
    folders.dedup();
    folders
}
