//! Validation PSNR and loss over iterations of the trainings behind a table, from their `steps.csv`.
//! Unaware of how lines are drawn.

use std::path::PathBuf;

use artifacts::steps::{self, Step};
use spec::kinds::Table;
use spec::labels::NONE;

use super::layout::label;
use super::read::{Evaluation, ReportError, read_scores};
use crate::plot::{Curve, Frame, Plot};

/// The picture for `curves: true`: a curve of PSNR for each training with a validation, and one of its loss, named by the
/// table's row labels. Seeds of one row share its name and colour.
pub(super) fn svg(table: &Table, from: &[Evaluation]) -> Result<String, ReportError> {
    let (mut psnr, mut loss): (Vec<Curve>, Vec<Curve>) = (Vec::new(), Vec::new());
    let mut seen: Vec<&PathBuf> = Vec::new();
    for evaluation in from {
        let Some(training) = evaluation.training.as_ref().filter(|t| !seen.contains(t)) else {
            continue;
        };
        seen.push(training);
        let steps = steps::read(training)?;
        let names = table.rows.iter().map(|name| label(evaluation, name));
        let names = names.filter(|name| name != NONE);
        let name = names.collect::<Vec<String>>().join(", ");
        let marked = kept(evaluation)?;
        let validated = validated(&steps);
        if !validated.is_empty() {
            psnr.push(Curve {
                name: name.clone(),
                marked,
                points: validated,
            });
        }
        loss.push(Curve {
            name,
            marked: None,
            points: losses(&steps),
        });
    }
    loss.retain(|curve| !curve.points.is_empty());
    let plot = Plot {
        title: title(table),
        x: "iterations".into(),
        frames: vec![
            Frame {
                y: "PSNR of the validation images (dB)".into(),
                is_log: false,
                curves: psnr,
            },
            Frame {
                y: "training loss".into(),
                is_log: true,
                curves: loss,
            },
        ],
        notes: notes(table),
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
    let marks =
        "Circle: the weights that were handed on. Loss: means over neighbouring iterations.";
    std::iter::once(marks.to_owned()).chain(own).collect()
}

fn title(table: &Table) -> String {
    if table.caption.is_empty() {
        "Validation while training".into()
    } else {
        format!("{}: validation while training", table.caption)
    }
}

/// Iteration and PSNR of each validation.
fn validated(steps: &[Step]) -> Vec<(f64, f64)> {
    let points = steps
        .iter()
        .filter_map(|step| Some((step.iteration as f64, step.psnr?)));
    points.collect()
}

/// Points of a curve of losses; of a longer one means are taken.
const MOST: usize = 200;

/// Iteration and loss, as means of so many iterations that lines can be told apart.
fn losses(steps: &[Step]) -> Vec<(f64, f64)> {
    let point = |step: &Step| Some((step.iteration as f64, step.loss.filter(|v| *v > 0.0)?));
    let all: Vec<(f64, f64)> = steps.iter().filter_map(point).collect();
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        let sum = part.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        (sum.0 / n, sum.1 / n)
    };
    let stretch = all.len().div_ceil(MOST).max(1);
    all.chunks(stretch).map(mean).collect()
}
