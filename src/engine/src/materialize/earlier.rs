//! What earlier results have put at the places of outputs: whether a file is one of these, and what the new result lacks.
//! Unaware of what is put there next.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plan::Plan;
use spec::Kind;
use store::{Key, Output, OutputKind};

use crate::error::Error;
use crate::inside;
use crate::session::Session;

/// The results that the stages of this file had last, each looked up once.
pub(super) struct Earlier<'a> {
    session: &'a Session,
    last: BTreeMap<String, Key>,
    /// Those of last results, by path.
    outputs: BTreeMap<Key, BTreeMap<String, Output>>,
    /// Those of all results in the cache, by path: listed once, and only where a file is not of the last result.
    all: OnceCell<BTreeMap<String, Vec<Output>>>,
}

impl<'a> Earlier<'a> {
    pub fn of(session: &'a Session) -> Self {
        Self {
            session,
            last: session.store.last_keys(&session.pipeline_path()),
            outputs: BTreeMap::new(),
            all: OnceCell::new(),
        }
    }

    /// The planned commands that had another key last, which is not that of the result to put in place.
    pub fn changed(&self, plan: &Plan) -> Vec<(usize, Key)> {
        let stages = &self.session.pipeline.stages;
        let commands = plan
            .stages
            .iter()
            .filter(|p| matches!(stages[p.stage].kind, Kind::Command(_)));
        let other = commands.filter_map(|p| {
            let (key, last) = (p.key?, self.last.get(&stages[p.stage].name)?);
            (*last != key).then_some((p.stage, key))
        });
        other.collect()
    }

    /// Removes what the last result of the stage has put below its outputs and the one of `key` does not have, with the
    /// folders that are empty then. What was changed since stays, with a warning.
    pub fn remove_leftovers(&mut self, stage: usize, key: &Key) -> Result<(), Error> {
        let now = self.session.store.outputs(key);
        if now.is_empty() {
            return Ok(()); // it has no result yet, so the last one stays what it was
        }
        let now: BTreeSet<&str> = now.iter().map(|output| output.path.as_str()).collect();
        let session = self.session;
        let places = &session.pipeline.stages[stage].places;
        let last: Vec<Output> = self.last_of(stage).values().cloned().collect();
        for output in last {
            let path = Path::new(&output.path);
            let is_below = places.read_as(path).is_some();
            if !is_below || now.contains(output.path.as_str()) {
                continue;
            }
            // Behind a link lies what others have put there.
            let full = session.root.join(path);
            let is_here = inside::place(&session.root, path)
                .is_ok_and(|real| real.parent() == parent_of(&full).as_deref());
            if is_here && session.store.is_copy(&full, &output) {
                remove(&session.root, &full)?;
            } else if is_here && fs::symlink_metadata(&full).is_ok() {
                session.warn(&format!(
                    "`{}` is no output any more and was changed since it was put there; it stays",
                    files::Name(path)
                ));
            }
        }
        Ok(())
    }

    /// The places of the last result's files where others lie now.
    pub fn edited(&mut self, stage: usize) -> Vec<PathBuf> {
        let session = self.session;
        // A folder that was empty is whosever it is by now.
        let last = self.last_of(stage).values();
        let files = last.filter(|output| output.kind != OutputKind::Folder);
        let places: Vec<PathBuf> = files.map(|output| PathBuf::from(&output.path)).collect();
        places
            .into_iter()
            .filter(|path| {
                let full = session.root.join(path);
                fs::symlink_metadata(&full).is_ok() && !self.put(stage, path, &full)
            })
            .collect()
    }

    /// Whether what lies at `full` is, byte for byte, an output of this path of the stage's last result or of any other
    /// result in the cache. A folder with something in it is none.
    pub fn put(&mut self, stage: usize, path: &Path, full: &Path) -> bool {
        let store = &self.session.store;
        if fs::symlink_metadata(full).is_ok_and(|meta| meta.is_dir()) {
            return fs::read_dir(full).is_ok_and(|mut inside| inside.next().is_none());
        }
        let path = path.to_string_lossy();
        let last = self.last_of(stage).get(&*path);
        if last.is_some_and(|output| store.is_copy(full, output)) {
            return true;
        }
        let all = self.all.get_or_init(|| store.outputs_by_path());
        let known = all.get(&*path).into_iter().flatten();
        known.into_iter().any(|output| store.is_copy(full, output))
    }

    fn last_of(&mut self, stage: usize) -> &BTreeMap<String, Output> {
        static NONE: BTreeMap<String, Output> = BTreeMap::new();
        let session = self.session;
        let Some(key) = self.last.get(&session.pipeline.stages[stage].name) else {
            return &NONE;
        };
        self.outputs.entry(*key).or_insert_with(|| {
            let outputs = session.store.outputs(key).into_iter();
            outputs
                .map(|output| (output.path.clone(), output))
                .collect()
        })
    }
}

fn parent_of(full: &Path) -> Option<PathBuf> {
    full.parent()?.canonicalize().ok()
}

/// Removes a file, a link or an empty folder, and the folders around it that are empty then, up to the project. A folder
/// that somebody has put something into stays.
pub(super) fn remove(root: &Path, full: &Path) -> Result<(), Error> {
    let is_folder = fs::symlink_metadata(full).is_ok_and(|meta| meta.is_dir());
    let removed = if is_folder {
        match fs::remove_dir(full) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
            other => other,
        }
    } else {
        fs::remove_file(full)
    };
    removed.map_err(|e| {
        let message = format!("cannot remove `{}`: {e}", files::Name(full));
        Error::failed(
            message,
            "it is an output of an earlier result; remove it yourself, and run again",
        )
    })?;
    let inside = full.ancestors().skip(1).take_while(|at| *at != root);
    for folder in inside {
        if fs::remove_dir(folder).is_err() {
            break; // something is left in it
        }
    }
    Ok(())
}
