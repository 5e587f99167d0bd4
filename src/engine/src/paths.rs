//! Where outputs of reports lie in the project.
//! Unaware of files.

use std::path::{Path, PathBuf};

use spec::Pipeline;

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
