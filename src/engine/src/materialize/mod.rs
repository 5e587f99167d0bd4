//! Puts the outputs of commands at their declared paths.
//! Unaware of how they were made. An output lives in the cache; what lies in the project is a copy, never a link into it.
//! Who may run a file, links that stay inside their output, and empty folders are put there too.
//!
//! ```text
//!   earlier result of the stage ── files that the new one lacks, as they were put there ──> removed, empty folders too
//!   new result ── file is there with these bytes ──> stays
//!              ── of an earlier result, whole ─────> replaced
//!              ── anything else: a person's work ──> moved beside (`x.kept-1`), with a warning, and never lost
//! ```

mod earlier;
mod room;

use std::path::{Path, PathBuf};

use plan::{Plan, Planned};
use rayon::prelude::*;
use spec::Kind;
use store::{Key, Output};

use crate::error::Error;
use crate::inside;
use crate::session::Session;
use earlier::Earlier;

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
    let mut earlier = Earlier::of(session);
    let changed = earlier.changed(plan);
    if missing.is_empty() && changed.is_empty() {
        return Ok(0);
    }
    if session.denied.is_some() {
        warn_not_placed(session, &missing);
        return Ok(0);
    }
    let _alone = session.store.lock_places()?;
    for (stage, key) in changed {
        earlier.remove_leftovers(stage, &key)?;
    }
    // Another process may have put them there meanwhile, and a link that is gone by now have led to some.
    missing = self::missing(session, plan);
    // A link may have been put there since the plan; nothing is moved before all places are known.
    let ours = inside::ours(&session.root);
    for m in &missing {
        let path = Path::new(&m.output.path);
        let not_put = |why: &str, hint| {
            let message = format!(
                "the output `{}` is not put in place: {why}",
                files::Name(path)
            );
            Error::failed(message, hint)
        };
        let place = inside::place(&session.root, path).map_err(|why| {
            let hint = "remove the link, and run again: the result is in the cache";
            not_put(&why, hint)
        })?;
        // A pattern may fit more than its text says, and what is moved beside must not hold the cache either.
        let is_taken = |ours: &PathBuf| place.starts_with(ours) || ours.starts_with(&place);
        if ours.iter().any(is_taken) {
            let hint = "let `outputs:` name it more narrowly, or remove the link on the way to it";
            return Err(not_put("a folder of pipeline's own lies there", hint));
        }
    }
    for m in &missing {
        room::make(session, &mut earlier, m.stage, Path::new(&m.output.path))?;
    }
    let all = missing.into_iter().map(|m| (m.key, m.output, m.full));
    put(session, all.collect())
}

/// Puts outputs at their paths; how many that were. One that another run makes anew meanwhile (`--force`) is that one's to
/// put there.
fn put(session: &Session, mut all: Vec<(Key, Output, PathBuf)>) -> Result<usize, Error> {
    let wanted = all.len();
    let mut left = 0;
    while let Err(error) = session.store.restore(&all) {
        all.retain(|(_, output, full)| !session.store.is_whole_copy(full, output)); // put there before the error
        let before = all.len();
        all.retain(|(key, output, _)| !is_made_anew(session, key, output));
        if all.len() == before {
            return Err(error.into());
        }
        left += before - all.len();
        session.warn(&format!(
            "{} not put in place: another run makes the result anew",
            match before - all.len() {
                1 => "one output is".to_owned(),
                n => format!("{n} outputs are"),
            }
        ));
    }
    Ok(wanted - left)
}

/// Whether another run replaces the result that an output is of, or has done so.
pub fn is_made_anew(session: &Session, key: &Key, output: &Output) -> bool {
    session.store.holder(key).is_some() || !session.store.outputs(key).contains(output)
}

/// The places of outputs where something else lies, which a run would move beside: paths in the project.
pub fn edited(session: &Session, plan: &Plan) -> Vec<PathBuf> {
    let mut earlier = Earlier::of(session);
    let mut edited: Vec<PathBuf> = Vec::new();
    for missing in missing(session, plan) {
        let path = Path::new(&missing.output.path);
        let is_there = std::fs::symlink_metadata(&missing.full).is_ok();
        if is_there && !earlier.put(missing.stage, path, &missing.full) {
            edited.push(path.to_path_buf());
        }
    }
    // A stage that is going to run puts its new result over the last one.
    for (stage, key) in earlier.changed(plan) {
        if session.store.outputs(&key).is_empty() {
            edited.extend(earlier.edited(stage));
        }
    }
    edited
}

fn warn_not_placed(session: &Session, missing: &[Missing]) {
    let Some(first) = missing.first().map(|m| &m.output.path) else {
        return;
    };
    let what = match missing.len() {
        1 => format!("one output is not put in place (`{first}`)"),
        n => format!("{n} outputs are not put in place (`{first}`, …)"),
    };
    session.warn(&format!("the cache can only be read, and so {what}"));
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
        let is_there = session.store.is_whole_copy(&full, &output);
        (!is_there).then_some(Missing {
            stage: planned.stage,
            key,
            output,
            full,
        })
    });
    missing.collect()
}
