//! The numbers of trainings and evaluations for other tools, in the folder of reports.
//! Unaware of what those tools are, and of the bytes of their files.
//!
//! ```text
//!   metrics.jsonl                                   {"key":"tuned/loss","step":1,"value":0.03}, a line a number
//!   tensorboard/<training>/events.out.tfevents.…    loss, lr, psnr/validation; crops of images that its evaluations kept
//! ```

use std::path::Path;

use artifacts::steps::{self, Step};
use artifacts::{ArtifactError, Metrics, Summary};
use report::events::{self, Image, Scalar};
use serde_json::json;
use store::Record;

use crate::crops::{self, Crop};
use crate::page::Records;
use crate::reports;
use crate::session::Session;

/// The file of lines.
const LINES: &str = "metrics.jsonl";

/// Numbers of a series; of a longer one every so many are written, and all validations.
const MOST: usize = 10_000;

/// A number of a series.
struct Number {
    tag: String,
    step: u64,
    value: f64,
}

/// Writes the files into the folder of reports `below` the project; returns their names, none where there is no number.
pub fn write(session: &Session, records: &Records, below: &Path) -> Result<Vec<String>, String> {
    let mut lines = String::new();
    let mut names = Vec::new();
    let put = |name: &str, bytes: &[u8]| {
        let written = reports::put_below(&session.root, &below.join(name), bytes);
        written.map_err(|e| format!("`{name}`: {e}"))
    };
    for (at, record, numbers) in trainings(session, records).map_err(|e| e.to_string())? {
        let name = session.pipeline.stages[at].name.as_str();
        add(&mut lines, name, &numbers);
        let crops = crops::of(session, records, at)?;
        let (begun, file) = event_file(record, &numbers, &crops);
        // A name of a stage is no path.
        let folder = name.replace(['/', '\\'], "_");
        let path = format!("tensorboard/{folder}/events.out.tfevents.{begun:010}.pipeline");
        put(&path, &file)?;
        names.push(path);
    }
    for (name, numbers) in evaluations(session, records).map_err(|e| e.to_string())? {
        add(&mut lines, name, &numbers);
    }
    if !lines.is_empty() {
        put(LINES, lines.as_bytes())?;
        names.push(LINES.to_owned());
    }
    Ok(names)
}

fn add(lines: &mut String, name: &str, numbers: &[Number]) {
    for number in numbers {
        let key = format!("{name}/{}", number.tag);
        let line = json!({"key": key, "step": number.step, "value": number.value});
        *lines += &format!("{line}\n");
    }
}

type Training<'a> = (usize, &'a Record, Vec<Number>);

/// What trainings noted of their iterations.
fn trainings<'a>(
    session: &Session,
    records: &'a Records,
) -> Result<Vec<Training<'a>>, ArtifactError> {
    let mut found = Vec::new();
    for (at, (key, record)) in records {
        if record.output(steps::FILE).is_some() {
            let steps = steps::read(&session.store.output_dir(key))?;
            found.push((*at, record, of_steps(&steps)));
        }
    }
    Ok(found)
}

fn of_steps(steps: &[Step]) -> Vec<Number> {
    let every = steps.len().div_ceil(MOST).max(1);
    let mut numbers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let is_shown = n % every == 0 || n + 1 == steps.len();
        let values = [
            ("loss", step.loss.filter(|_| is_shown)),
            ("lr", step.lr.filter(|_| is_shown)),
            ("psnr/validation", step.psnr),
        ];
        for (tag, value) in values {
            if let Some(value) = value.filter(|v| v.is_finite()) {
                numbers.push(Number {
                    tag: tag.to_owned(),
                    step: step.iteration,
                    value,
                });
            }
        }
    }
    numbers
}

/// The means of evaluations, at the iterations of their models.
fn evaluations<'a>(
    session: &'a Session,
    records: &Records,
) -> Result<Vec<(&'a str, Vec<Number>)>, ArtifactError> {
    let mut found = Vec::new();
    for (at, (key, record)) in records {
        if record.output(artifacts::metrics::FILE).is_none() {
            continue;
        }
        let folder = session.store.output_dir(key);
        let step = Summary::read(&folder)?.model.iterations.unwrap_or(0);
        let means = Metrics::read(&folder)?.means().into_iter();
        let numbers = means.map(|(tag, value)| Number { tag, step, value });
        let numbers = numbers.collect();
        found.push((session.pipeline.stages[*at].name.as_str(), numbers));
    }
    Ok(found)
}

/// When a training began, seconds since 1970, and its event file. Steps are taken to have been of one length: the time of
/// each is not noted.
fn event_file(record: &Record, numbers: &[Number], crops: &[Crop]) -> (u64, Vec<u8>) {
    let finished = record.facts.get("finished").and_then(|v| v.as_str());
    let finished = finished.and_then(|text| humantime::parse_rfc3339(text).ok());
    let finished = finished.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let finished = finished.map_or(0.0, |d| d.as_secs_f64());
    let took = record
        .facts
        .get("seconds")
        .and_then(serde_json::Value::as_f64);
    let begun = (finished - took.unwrap_or(0.0)).max(0.0);
    let last = numbers.iter().map(|n| n.step).max().unwrap_or(0).max(1);
    let scalars = numbers.iter().map(|number| Scalar {
        tag: &number.tag,
        step: number.step,
        value: number.value,
        time: begun + (finished - begun) * number.step as f64 / last as f64,
    });
    let end = numbers.iter().map(|n| n.step).max().unwrap_or(0);
    let images = crops.iter().map(|crop| Image {
        tag: &crop.tag,
        step: end,
        png: &crop.png,
        size: crop.size,
        time: finished,
    });
    (begun as u64, events::file(begun, scalars, images))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_trainings_are_thinned_and_keep_their_validations() {
        let step = |iteration| Step {
            iteration,
            loss: Some(1.0),
            lr: Some(0.1),
            psnr: (iteration % 1000 == 999).then_some(30.0),
        };
        let steps: Vec<Step> = (0..100_000).map(step).collect();
        let numbers = of_steps(&steps);
        let count = |tag| numbers.iter().filter(|n| n.tag == tag).count();
        assert_eq!(count("psnr/validation"), 100);
        assert_eq!(count("loss"), MOST + 1);
        assert_eq!(numbers.last().unwrap().step, 99_999);
    }
}
