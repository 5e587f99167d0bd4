//! `pipeline cache gc`: removes what no pipeline file at its current state, no pin and no running pipeline refers to.
//! Unaware of how results are removed.
//!
//! ```text
//!   files that were ever run here, and those that are named ── planned anew, for the processor and for CUDA ──> keys
//!        a file that is gone: its results may go        a file that is wrong: its last keys stay, with a warning
//!   keys, their trajectories, pins, leases, age ──> the store keeps these and removes the rest
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::{GcReport, GcRequest, Key, Store};

use super::args::{GcArgs, PipelineArgs, ReadingArgs};
use super::bytes::bytes;
use super::{Exit, Fatal, open, print, say};
use diagnostics::shown::counted;
use engine::session::Access;

/// Cleans up, or shows what would go.
pub fn gc(store: &Store, root: &Path, args: &GcArgs) -> Result<Exit, Fatal> {
    let named: BTreeSet<PathBuf> = args.files.iter().map(|f| full(f)).collect();
    let known = store.pipelines().into_iter().map(|f| full(&f));
    let files: BTreeSet<PathBuf> = named.iter().cloned().chain(known).collect();
    let mut keep = BTreeSet::new();
    for file in &files {
        if file.exists() {
            keep.extend(needed(store, root, file));
        } else if named.contains(file) {
            let message = if files::is_pattern(file) {
                format!("`{}` {}", file.display(), files::NOT_EXPANDED)
            } else {
                format!("there is no file `{}`", file.display())
            };
            return Err(Fatal::usage(message, "nothing was removed"));
        } else {
            say(&format!(
                "{}: is gone; its results are not kept",
                file.display()
            ));
        }
    }
    let request = GcRequest {
        keep,
        keep_younger_than: Some(args.keep_newer).filter(|age| *age > Duration::ZERO),
        now: std::time::SystemTime::now(),
        dry_run: args.dry_run,
    };
    let report = store.gc(&request)?;
    print(&text(&report, args));
    Ok(Exit::Done)
}

fn full(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The keys that a file refers to now, and the trajectories of its trainings.
fn needed(store: &Store, root: &Path, file: &Path) -> Vec<Key> {
    let arguments = PipelineArgs {
        file: file.to_owned(),
        reading: ReadingArgs {
            root: Some(root.to_owned()),
            ..ReadingArgs::default()
        },
        ..PipelineArgs::default()
    };
    match open(&arguments, Access::Read) {
        Ok(session) => session.all_keys(),
        Err(fatal) => {
            let first = fatal.diagnostics.headline();
            say(&format!(
                "warning: {}: {first}; what it last referred to is kept",
                file.display()
            ));
            store.last_keys(file).into_values().collect()
        }
    }
}

fn text(report: &GcReport, args: &GcArgs) -> String {
    let mut out = String::new();
    for thing in &report.freed {
        let key = thing.key.map_or(String::new(), |key| format!("{key:.12}"));
        let used = humantime::format_rfc3339_seconds(thing.used);
        out += &format!(
            "  {key:<12}  {:<10}  {:>10}  {:>6} files  last used {used}  {}\n",
            format!("{:?}", thing.room).to_lowercase(),
            bytes(thing.amount.bytes),
            thing.amount.files,
            thing.kind
        );
    }
    let verb = if args.dry_run { "would free" } else { "freed" };
    out + &format!(
        "{verb} {} ({}); {} stays ({} results and work folders)\n",
        bytes(report.freed_amount.bytes),
        counted(report.freed_amount.files as usize, "file"),
        bytes(report.kept_amount.bytes),
        report.kept
    )
}
