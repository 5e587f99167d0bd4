//! Validation PSNR over iterations of the trainings behind a table, from their `steps.csv`.
//! Unaware of how lines are drawn.

use std::path::{Path, PathBuf};

use artifacts::steps;
use spec::kinds::Table;

use super::layout::label;
use super::read::{Evaluation, ReportError, read_scores};
use crate::plot::{Curve, Plot};

/// The picture for `curves: true`: a curve for each training with a validation, named by the table's row labels. Seeds of
/// one row share its name and colour.
pub(super) fn svg(table: &Table, from: &[Evaluation]) -> Result<String, ReportError> {
    let mut curves: Vec<Curve> = Vec::new();
    let mut seen: Vec<&PathBuf> = Vec::new();
    for evaluation in from {
        let Some(training) = evaluation.training.as_ref().filter(|t| !seen.contains(t)) else {
            continue;
        };
        seen.push(training);
        let points = points(training)?;
        if points.is_empty() {
            continue;
        }
        let names = table.rows.iter().map(|name| label(evaluation, name));
        curves.push(Curve {
            name: names.collect::<Vec<String>>().join(", "),
            marked: kept(evaluation)?,
            points,
        });
    }
    let plot = Plot {
        title: title(table),
        x: "iterations".into(),
        y: "PSNR of the validation images (dB)".into(),
        notes: notes(table),
        curves,
    };
    Ok(plot.svg())
}

/// The iteration whose weights were handed on.
fn kept(evaluation: &Evaluation) -> Result<Option<f64>, ReportError> {
    let scores = read_scores(&evaluation.folder)?;
    Ok(scores.summary.model.iterations.map(|n| n as f64))
}

/// What the circle is, and what the table says is to be read with care.
fn notes(table: &Table) -> Vec<String> {
    let own = (!table.note.is_empty()).then(|| table.note.clone());
    std::iter::once("Circle: the weights that were handed on.".to_owned())
        .chain(own)
        .collect()
}

fn title(table: &Table) -> String {
    if table.caption.is_empty() {
        "Validation while training".into()
    } else {
        format!("{}: validation while training", table.caption)
    }
}

/// Iteration and PSNR of each validation.
fn points(training: &Path) -> Result<Vec<(f64, f64)>, ReportError> {
    let steps = steps::read(training)?;
    let validated = steps
        .iter()
        .filter_map(|step| Some((step.iteration as f64, step.psnr?)));
    Ok(validated.collect())
}
