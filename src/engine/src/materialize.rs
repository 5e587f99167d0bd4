//! Puts the outputs of commands at their declared paths.
//! Unaware of how they were made. An output lives in the cache; what lies in the project is a copy, never a link.
//!
//! A file that is there already stays if it is the output. One that is an earlier output of the same stage is replaced.
//! Anything else is a person's work: it is moved beside, with a warning, and never lost.

use std::path::{Path, PathBuf};

use plan::{Plan, Planned};
use rayon::prelude::*;
use spec::Kind;
use store::{Key, Output, Record};

use crate::error::Error;
use crate::inside;
use crate::session::Session;

/// Stages that one core looks at before another is asked.
const FEW: usize = 64;

/// An output that is not at its declared path.
struct Missing {
    stage: usize,
    key: Key,
    output: Output,
    full: PathBuf,
}

/// Puts all outputs of finished commands in place; returns how many files that were. One process at a time does it: what
/// another one has just put there is seen as that, not as a person's work.
pub fn materialize(session: &Session, plan: &Plan) -> Result<usize, Error> {
    let mut missing = missing(session, plan);
    if missing.is_empty() {
        return Ok(0);
    }
    if session.denied.is_some() {
        let first = &missing[0].output.path;
        let what = match missing.len() {
            1 => format!("one output is not put in place (`{first}`)"),
            n => format!("{n} outputs are not put in place (`{first}`, …)"),
        };
        session.warn(&format!("the cache can only be read, and so {what}"));
        return Ok(0);
    }
    let _alone = session.store.lock_places()?;
    missing.retain(|m| !session.store.is_copy(&m.full, &m.output));
    // A link may have been put there since the plan; nothing is moved before all places are known.
    for m in &missing {
        let path = Path::new(&m.output.path);
        inside::place(&session.root, path).map_err(|why| {
            let message = format!(
                "the output `{}` is not put in place: {why}",
                files::Name(path)
            );
            Error::failed(
                message,
                "remove the link, and run again: the result is in the cache",
            )
        })?;
    }
    let earlier = session.store.last_keys(&session.pipeline_path());
    let mut before = Before::default();
    for m in &missing {
        let old = earlier.get(&session.pipeline.stages[m.stage].name);
        make_room(session, m, before.output(session, old, &m.output.path))?;
    }
    let all: Vec<_> = missing
        .into_iter()
        .map(|m| (m.key, m.output, m.full))
        .collect();
    session.store.restore(&all)?;
    Ok(all.len())
}

/// Looked for on all cores: most often there are thousands, and all in place.
fn missing(session: &Session, plan: &Plan) -> Vec<Missing> {
    let stages = &session.pipeline.stages;
    let is_command = |p: &&Planned| matches!(stages[p.stage].kind, Kind::Command(_));
    let commands: Vec<&Planned> = plan.stages.iter().filter(is_command).collect();
    commands
        .par_iter()
        .with_min_len(FEW)
        .flat_map_iter(|planned| missing_of(session, planned))
        .collect()
}

fn missing_of(session: &Session, planned: &Planned) -> Vec<Missing> {
    let Some(key) = planned.key else {
        return Vec::new();
    };
    let outputs = session.store.outputs(&key).into_iter();
    let missing = outputs.filter_map(|output| {
        let full = session.root.join(&output.path);
        let is_there = session.store.is_copy(&full, &output);
        (!is_there).then_some(Missing {
            stage: planned.stage,
            key,
            output,
            full,
        })
    });
    missing.collect()
}

/// The record of what a stage made last time, read once for all its outputs.
#[derive(Default)]
struct Before(Option<(Key, Option<Record>)>);

impl Before {
    fn output(&mut self, session: &Session, key: Option<&Key>, path: &str) -> Option<&Output> {
        let key = *key?;
        if self.0.as_ref().is_none_or(|(known, _)| *known != key) {
            self.0 = Some((key, session.store.record(&key).ok().flatten()));
        }
        self.0.as_ref()?.1.as_ref()?.output(path)
    }
}

/// Moves a person's work aside; what this stage made last time is none.
fn make_room(session: &Session, missing: &Missing, before: Option<&Output>) -> Result<(), Error> {
    let (full, path) = (&missing.full, &missing.output.path);
    let is_ours = || before.is_some_and(|old| session.store.is_copy(full, old));
    if std::fs::symlink_metadata(full).is_ok() && !is_ours() {
        let aside = move_aside(full)?;
        session.warn(&format!(
            "`{path}` was changed since it was put there; yours is kept as `{}`",
            aside.display()
        ));
    }
    Ok(())
}

/// Renames to the first free `<name>.kept-<n>`.
fn move_aside(full: &Path) -> Result<PathBuf, Error> {
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    let free = (1..).map(|n| full.with_file_name(format!("{name}.kept-{n}")));
    let aside = free
        .into_iter()
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| full.with_extension("kept"));
    std::fs::rename(full, &aside).map_err(|e| {
        let message = format!("cannot move `{}` aside: {e}", files::Name(full));
        Error::failed(message, "move it yourself, and run again")
    })?;
    Ok(aside)
}
