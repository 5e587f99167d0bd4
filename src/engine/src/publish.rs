//! Copies finished tables and figures to `reports/`.
//! Unaware of how they were made.

use std::path::{Path, PathBuf};

use plan::Plan;

use crate::error::Error;
use crate::inside;
use crate::paths::report;
use crate::session::Session;

/// Copies finished tables and figures to `reports/<pipeline>/<stage>.*`; returns the text files, in the order of the pipeline.
pub fn publish(session: &Session, plan: &Plan) -> Result<Vec<PathBuf>, Error> {
    let (mut texts, mut told) = (Vec::new(), false);
    let mut reports: Vec<_> = plan
        .stages
        .iter()
        .filter(|p| session.pipeline.stages[p.stage].kind.is_report())
        .collect();
    reports.sort_by_key(|p| p.stage);
    for planned in reports {
        let Some(key) = planned.key else { continue };
        let Ok(Some(record)) = session.store.record(&key) else {
            continue;
        };
        let name = &session.pipeline.stages[planned.stage].name;
        for output in &record.outputs {
            let stored = session.store.output_dir(&key).join(&output.path);
            let report = report(&session.pipeline, name, &output.path);
            let mut target = session.root.join(&report);
            let place = inside::place(&session.root, &report).map_err(std::io::Error::other);
            if let Err(error) = place.and_then(|_| copy_if_changed(&stored, &target)) {
                let message = format!("cannot write `{}`: {error}", target.display());
                if session.denied.is_none() {
                    let hint = "the result is in the cache; free space or permissions are missing";
                    return Err(Error::failed(message, hint));
                }
                // Where the cache may only be read the project most often may not be written either.
                if !told {
                    session.warn(&message);
                    told = true;
                }
                target = stored;
            }
            if matches!(output.path.as_str(), "table.txt" | "figure.txt") {
                texts.push(target);
            }
        }
    }
    Ok(texts)
}

/// More than a report takes.
pub const MAX_BYTES: u64 = 1 << 30;

fn copy_if_changed(from: &Path, to: &Path) -> std::io::Result<()> {
    let bytes = files::read(from, MAX_BYTES)?;
    match files::read(to, bytes.len() as u64) {
        Ok(old) if old == bytes => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => return Err(e),
        _ => {}
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    store::write_atomic(to, &bytes).map_err(|e| std::io::Error::other(e.to_string()))
}
