//! Puts the outputs of commands at their declared paths.
//! Unaware of how they were made. An output lives in the cache; what lies in the project is a copy, never a link.
//!
//! A file that is there already stays if it is the output. One that is an earlier output of the same stage is replaced.
//! Anything else is a person's work: it is moved beside, with a warning, and never lost.

use std::path::{Path, PathBuf};

use spec::Kind;
use store::{Output, Record};

use super::session::Session;
use super::{Fatal, say};
use crate::plan::{Plan, Planned};

/// Puts all outputs of finished commands in place; returns how many files that were.
pub fn place(session: &Session, plan: &Plan) -> Result<usize, Fatal> {
    let stages = &session.pipeline.stages;
    let is_command = |p: &&Planned| matches!(stages[p.stage].kind, Kind::Command(_));
    let mut missing = Vec::new();
    let mut earlier = None;
    for planned in plan.stages.iter().filter(is_command) {
        let Some(key) = planned.key else { continue };
        let mut before = None;
        for output in session.store.outputs(&key) {
            let full = session.root.join(&output.path);
            if session.store.is_copy(&full, &output) {
                continue;
            }
            let before = before.get_or_insert_with(|| {
                let read = || session.store.last_keys(&session.pipeline_path());
                let last = earlier.get_or_insert_with(read);
                let key = last.get(&stages[planned.stage].name)?;
                session.store.record(key).ok().flatten()
            });
            make_room(session, &full, &output, before.as_ref())?;
            missing.push((key, output, full));
        }
    }
    session.store.restore(&missing)?;
    Ok(missing.len())
}

/// Moves a person's work aside.
fn make_room(
    session: &Session,
    full: &Path,
    output: &Output,
    before: Option<&Record>,
) -> Result<(), Fatal> {
    let path = &output.path;
    if std::fs::symlink_metadata(full).is_ok() && !is_ours(session, full, path, before) {
        let aside = move_aside(full)?;
        say(&format!(
            "warning: `{path}` was changed since it was put there; yours is kept as `{}`",
            aside.display()
        ));
    }
    Ok(())
}

/// Whether the file is what this stage made last time.
fn is_ours(session: &Session, full: &Path, path: &str, before: Option<&Record>) -> bool {
    let old = before.and_then(|record| record.output(path));
    old.is_some_and(|old| session.store.digest(full).is_ok_and(|d| d == old.digest))
}

/// Renames to the first free `<name>.kept-<n>`.
fn move_aside(full: &Path) -> Result<PathBuf, Fatal> {
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    let free = (1..).map(|n| full.with_file_name(format!("{name}.kept-{n}")));
    let aside = free
        .into_iter()
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| full.with_extension("kept"));
    std::fs::rename(full, &aside).map_err(|e| {
        let message = format!("cannot move `{}` aside: {e}", full.display());
        Fatal::failed(message, "move it yourself, and run again")
    })?;
    Ok(aside)
}
