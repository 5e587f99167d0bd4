//! `pipeline path` and `pipeline export`: where results lie, and copies of them.
//! Unaware of running. What is copied out is verified while it is copied, and is never a link into the cache.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use store::Key;

use super::args::{ExportArgs, PathArgs};
use super::why;
use super::{Exit, Fatal, open, print, print_raw, say};
use engine::session::{Access, Session};
use plan::{Plan, Verdict};

/// Prints the folder of each stage's outputs.
pub fn path(args: &PathArgs) -> Result<Exit, Fatal> {
    let session = open(&args.common.pipeline(&args.stages)?, Access::Read)?;
    for (_, key) in finished(&session)? {
        let line = format!("{}\n", session.store.output_dir(&key).display());
        if std::io::stdout().is_terminal() {
            print(&line);
        } else {
            print_raw(&line); // a program opens it
        }
    }
    Ok(Exit::Done)
}

/// Copies outputs to a folder: several stages into a folder each.
pub fn export(args: &ExportArgs) -> Result<Exit, Fatal> {
    let session = open(&args.pipeline()?, Access::Read)?;
    let stages = finished(&session)?;
    let alone = stages.len() == 1;
    for (name, key) in &stages {
        let folder = if alone {
            args.folder.clone()
        } else {
            args.folder.join(name.replace('/', "_"))
        };
        let files = session.store.copy_out(key, &folder)?;
        say(&format!(
            "{name}: {} → {}",
            count(files.len()),
            shown(&folder)
        ));
    }
    Ok(Exit::Done)
}

fn count(files: usize) -> String {
    if files == 1 {
        "1 file".into()
    } else {
        format!("{files} files")
    }
}

fn shown(folder: &Path) -> String {
    let full: PathBuf = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    full.display().to_string()
}

/// Names and keys of the wanted stages, all of which must have a result.
pub fn finished(session: &Session) -> Result<Vec<(String, Key)>, Fatal> {
    let plan = session.plan();
    let wanted: Vec<usize> = session.wanted.iter().copied().collect();
    wanted
        .into_iter()
        .map(|at| {
            let name = session.pipeline.stages[at].name.clone();
            key_of(&plan, at)
                .map(|key| (name.clone(), key))
                .map_err(|why| {
                    let hint = format!(
                        "pipeline run {} '{name}' computes it",
                        session.pipeline.file.display()
                    );
                    Fatal::failed(format!("`{name}` has no result: {why}"), hint)
                })
        })
        .collect()
}

fn key_of(plan: &Plan, at: usize) -> Result<Key, String> {
    let planned = plan.get(at).ok_or("it is not in the plan")?;
    match (&planned.verdict, planned.key) {
        (Verdict::Fresh, Some(key)) => Ok(key),
        (verdict, _) => Err(why::details(verdict).join("; ")),
    }
}
