//! `steps.csv` of a training: loss, learning rate and validation of each iteration.
//! Unaware of networks. The file grows line by line in a training's state, so a line is a text here.

use std::fmt::Display;
use std::path::Path;

use pixels::score;

use crate::table::Table;
use crate::{ArtifactError, Result};

/// The file's name.
pub const FILE: &str = "steps.csv";

/// Its first line.
pub const HEADER: &str = "iteration,loss,lr,psnr\n";

/// What is read of an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Counted from 1; 0 is before the first.
    pub iteration: u64,
    /// The loss; none before the first.
    pub loss: Option<f64>,
    /// The learning rate; none before the first.
    pub lr: Option<f64>,
    /// PSNR of the validation after it in dB, as it counts (`pixels::score`); none without one.
    pub psnr: Option<f64>,
}

/// The line of the validation before the first iteration.
pub fn first_line(psnr: impl Display) -> String {
    format!("0,,,{psnr}\n")
}

/// The line of an iteration; `psnr` in dB where it was validated.
pub fn line(
    iteration: u64,
    loss: impl Display,
    lr: impl Display,
    psnr: Option<impl Display>,
) -> String {
    let psnr = psnr.map_or_else(String::new, |psnr| psnr.to_string());
    format!("{iteration},{loss},{lr},{psnr}\n")
}

/// Writes a file of these lines into a folder.
///
/// # Errors
/// The file cannot be written.
pub fn write(folder: &Path, lines: &str) -> Result<()> {
    let path = folder.join(FILE);
    std::fs::write(&path, lines).map_err(|e| ArtifactError::write(&path, e))
}

/// Reads that of the training with this folder.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn read(folder: &Path) -> Result<Vec<Step>> {
    let table = Table::read(&folder.join(FILE), "iteration")?;
    let psnr = table.column("psnr");
    let psnr = psnr.ok_or_else(|| table.wrong("it has no column `psnr`"))?;
    let (loss, lr) = (table.column("loss"), table.column("lr"));
    let number = |row: &csv::StringRecord, column: Option<usize>| match column.map(|at| &row[at]) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(table.not_a_number(text)),
        },
    };
    let step = |row: &csv::StringRecord| {
        let (iteration, text) = (&row[0], &row[psnr]);
        let value = || score::parse(text).and_then(|v| score::counted("psnr", v));
        Ok(Step {
            iteration: iteration
                .parse()
                .map_err(|_| table.not_a_number(iteration))?,
            loss: number(row, loss)?,
            lr: number(row, lr)?,
            psnr: match text {
                "" => None,
                text => Some(value().ok_or_else(|| table.not_a_number(text))?),
            },
        })
    };
    table.rows.iter().map(step).collect()
}

/// The iteration with the best validation, the first of equal ones, and its PSNR in dB.
pub fn best(steps: &[Step]) -> Option<(u64, f64)> {
    let validated = steps
        .iter()
        .filter_map(|step| Some((step.iteration, step.psnr?)));
    validated.reduce(|best, next| if next.1 > best.1 { next } else { best })
}
