//! `pipeline diff`: two runs side by side: parameters, metrics, and the schedules of two trainings.
//! Unaware of plans: it compares what is stored.
//!
//! ```text
//!   two runs' keys ─> compare: records, metrics.csv ─┐
//!                     schedule: model.json, steps.csv ┴─> Comparison ─> text, or JSON
//! ```

pub(super) mod compare;
mod schedule;

use std::fmt::Write as _;

use serde::Serialize;
use store::Store;

use self::compare::{Metric, Parameter, metrics, parameters};
use self::schedule::{Schedules, schedules, trainings};
use super::args::DiffArgs;
use super::{Exit, Fatal, print_json, print_lines};
use engine::history::{History, Keys};
use engine::root;

/// All that is said of two runs.
#[derive(Serialize)]
struct Comparison {
    /// The first run's name.
    a: String,
    /// The second run's.
    b: String,
    /// What differs; not asked for where two trainings are.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Vec<Parameter>>,
    /// Averages of what both evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<Metric>>,
    /// Trainings side by side.
    schedules: Vec<Schedules>,
}

/// Compares two runs.
pub fn diff(args: &DiffArgs) -> Result<Exit, Fatal> {
    let cache = root::cache(&args.root.folder()?);
    let store = Store::open_read_only(&cache)?;
    let history = History::open(&cache);
    let keys = |text: &str| -> Result<(String, Keys), Fatal> {
        let id = history.find(text)?.to_owned();
        let keys = history.keys(&history.read(&id)?);
        Ok((id, keys))
    };
    let ((a, first), (b, second)) = (keys(&args.a)?, keys(&args.b)?);
    let comparison = if let Some((one, other)) = &args.stages {
        Comparison {
            a,
            b,
            parameters: None,
            metrics: None,
            schedules: vec![schedules(&store, (&first, one), (&second, other))?],
        }
    } else {
        let both = trainings(&store, &first, &second).into_iter();
        Comparison {
            a,
            b,
            parameters: Some(parameters(&store, &first, &second)),
            metrics: Some(metrics(&store, &first, &second)),
            schedules: both
                .map(|name| schedules(&store, (&first, &name), (&second, &name)))
                .collect::<Result<_, _>>()?,
        }
    };
    if args.json {
        let line = serde_json::to_string(&comparison);
        print_json(&format!("{}\n", line.unwrap_or_default())); // strings, numbers and lists always encode
    } else {
        print_lines(&comparison.text());
    }
    Ok(Exit::Done)
}

impl Comparison {
    fn text(&self) -> String {
        let mut out = format!("a  {}\nb  {}\n", self.a, self.b);
        if let Some(parameters) = &self.parameters {
            let lines = parameters.iter().map(Parameter::text).collect();
            list(&mut out, "parameters", lines, "the same");
        }
        if let Some(metrics) = &self.metrics {
            let lines: Vec<String> = metrics.iter().filter_map(Metric::text).collect();
            let nothing = if metrics.is_empty() {
                "no evaluation is in both"
            } else {
                "the same"
            };
            list(&mut out, "metrics (mean over images)", lines, nothing);
        }
        for schedules in &self.schedules {
            out += &schedules.text();
        }
        out
    }
}

/// A heading and what stands below it, or that nothing does.
fn list(out: &mut String, heading: &str, mut lines: Vec<String>, nothing: &str) {
    if lines.is_empty() {
        lines.push(nothing.to_owned());
    }
    let _ = writeln!(out, "\n{heading}"); // a String takes all
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}
