//! Copies finished tables and figures to `reports/` and shows them.
//! Unaware of how they were made.

use std::path::{Path, PathBuf};

use super::session::Session;
use super::{Fatal, inside, print, say};
use plan::Plan;
use spec::Pipeline;

/// Copies finished tables and figures to `reports/<pipeline>/<stage>.*`; returns the text files, in the order of the pipeline.
pub fn publish(session: &Session, plan: &Plan) -> Result<Vec<PathBuf>, Fatal> {
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
                    return Err(Fatal::failed(message, hint));
                }
                // Where the cache may only be read the project most often may not be written either.
                if !told {
                    say(&format!("warning: {message}"));
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

/// Where an output of a report is put, below the project folder: `reports/<pipeline>/<stage>.*`.
pub fn report(pipeline: &Pipeline, stage: &str, output: &str) -> PathBuf {
    let stem = pipeline.file.file_stem().unwrap_or_default();
    Path::new("reports")
        .join(stem)
        .join(report_name(stage, output))
}

/// `table.csv` of the stage `alpha` becomes `alpha.csv`, `cells.csv` becomes `alpha.cells.csv`.
fn report_name(stage: &str, output: &str) -> String {
    let own = output.strip_prefix("table.");
    match own.or_else(|| output.strip_prefix("figure.")) {
        Some(extension) => format!("{stage}.{extension}"),
        None => format!("{stage}.{output}"),
    }
}

/// More than a report takes.
const MAX_BYTES: u64 = 1 << 30;

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

pub fn show_tables(session: &Session, texts: &[PathBuf], complete: bool) {
    for path in texts {
        print(&format!(
            "\n{}",
            files::read_to_string(path, MAX_BYTES).unwrap_or_default()
        ));
    }
    let reports = session.root.join("reports");
    let published = texts.iter().find(|path| path.starts_with(&reports));
    if let Some(folder) = published.and_then(|p| p.parent()) {
        let shown = std::env::current_dir()
            .ok()
            .and_then(|here| folder.strip_prefix(here).ok().map(Path::to_owned));
        let folder = shown.unwrap_or_else(|| folder.to_owned());
        print(&format!(
            "\nreports: {}/  (text, CSV, Markdown, LaTeX, pictures)\n",
            folder.display()
        ));
    }
    if complete {
        let file = session.pipeline.file.display();
        print(&format!(
            "again:  pipeline run {file}  runs only what has changed\n"
        ));
    }
}
