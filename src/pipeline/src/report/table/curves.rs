//! Validation PSNR over iterations of the trainings behind a table, from their `steps.csv`.
//! Unaware of how lines are drawn.

use std::path::{Path, PathBuf};

use pixels::score;
use spec::kinds::Table;

use super::grid::label;
use super::read::{Evaluation, ReportError, read_scores};
use crate::report::plot::{Curve, Plot};

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
        let points = points(&training.join("steps.csv"))?;
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
fn points(path: &Path) -> Result<Vec<(f64, f64)>, ReportError> {
    let wrong = |why: String| ReportError::Read {
        path: path.to_owned(),
        why,
    };
    let mut reader = csv::Reader::from_path(path).map_err(|e| wrong(e.to_string()))?;
    let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let at = |name: &str| header.iter().position(|h| h == name);
    let (Some(iteration), Some(psnr)) = (at("iteration"), at("psnr")) else {
        return Ok(Vec::new());
    };
    let mut points = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        let text = |column: usize| row.get(column).unwrap_or_default();
        if text(psnr).is_empty() {
            continue;
        }
        let number = |column: usize| {
            let number = text(column).parse::<f64>().ok().filter(|v| v.is_finite());
            number.ok_or_else(|| wrong(format!("`{}` is not a number", text(column))))
        };
        let mean = score::parse(text(psnr)).and_then(|v| score::counted("psnr", v));
        let mean = mean.ok_or_else(|| wrong(format!("`{}` is not a number", text(psnr))))?;
        points.push((number(iteration)?, mean));
    }
    Ok(points)
}
