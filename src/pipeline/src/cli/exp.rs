//! `pipeline exp`: the evaluations of a file side by side, with the parameters in which they differ, and their metrics.
//! Unaware of tables that a file asks for: this one needs none.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use artifacts::{Metrics, Summary};
use diagnostics::shown;
use engine::session::{Access, Session};
use serde_json::{Map, Value, json};

use report::table::guarded;
use spec::metrics::Metric;
use spec::{Around, Kind};
use store::{Key, Record};

use super::args::ExpArgs;
use super::{Exit, Fatal, fit, open, print, print_json, print_raw, screen};

/// An evaluation.
struct Row {
    stage: String,
    /// What can be said of it, by name; those behind a stage's own fields begin with its kind.
    parameters: BTreeMap<String, String>,
    metrics: BTreeMap<&'static str, f64>,
}

/// Shows the evaluations that have a result.
pub fn exp(args: &ExpArgs) -> Result<Exit, Fatal> {
    let (common, stages) = args.common.with_words(&args.words)?;
    let session = open(&common.pipeline(stages)?, Access::Read)?;
    let rows = rows(&session)?;
    if rows.is_empty() {
        let hint = format!("`{}` makes them", session.command("run", stages));
        return Err(Fatal::failed("no evaluation has a result yet", hint));
    }
    let parameters = differing(&rows);
    let metrics: BTreeSet<&str> = rows
        .iter()
        .flat_map(|r| r.metrics.keys().copied())
        .collect();
    let order = Metric::ALL.iter().map(|m| m.as_str()).chain(OF_MODELS);
    let metrics: Vec<&str> = order.filter(|m| metrics.contains(m)).collect();
    if args.json {
        for row in &rows {
            print_json(&format!("{}\n", json_of(row, &parameters)));
        }
    } else if args.csv {
        let text = csv_of(&rows, &parameters, &metrics)?;
        if std::io::stdout().is_terminal() {
            print(&text);
        } else {
            print_raw(&text);
        }
    } else {
        print(&text(&rows, &parameters, &metrics));
    }
    Ok(Exit::Done)
}

/// What is said of models beside the metrics, in the order of its columns.
const OF_MODELS: [&str; 4] = ["iterations", "trainable", "seconds", "peak_mib"];

fn rows(session: &Session) -> Result<Vec<Row>, Fatal> {
    let plan = session.plan();
    let mut rows = Vec::new();
    for (at, stage) in session.pipeline.stages.iter().enumerate() {
        let is_wanted = session.wanted.is_empty() || session.wanted.contains(&at);
        if !is_wanted || !matches!(stage.kind, Kind::Evaluate(_)) {
            continue;
        }
        let result = |at: usize| -> Option<(Key, Record)> {
            let key = plan.get(at)?.key?;
            Some((key, session.store.record(&key).ok()??))
        };
        let Some((key, record)) = result(at) else {
            continue;
        };
        let model = stage.input("model");
        let model =
            model.and_then(|m| Some((session.pipeline.stages[m].kind.name(), result(m)?.1)));
        let mut parameters = Around::new(&session.pipeline, at).labels();
        parameters.extend(fields("evaluate", &record));
        if let Some((kind, record)) = &model {
            parameters.extend(fields(kind, record));
        }
        let folder = session.store.output_dir(&key);
        rows.push(Row {
            stage: stage.name.clone(),
            parameters,
            metrics: metrics(&folder, model.as_ref().map(|(_, r)| r))?,
        });
    }
    Ok(rows)
}

/// The fields of a stage, as its manifest has them.
fn fields<'a>(kind: &'a str, record: &'a Record) -> impl Iterator<Item = (String, String)> + 'a {
    let lines = record
        .manifest
        .lines()
        .filter_map(|line| line.split_once('\t'));
    lines.filter_map(move |(name, value)| {
        let field = name.strip_prefix("config.")?;
        Some((format!("{kind}.{field}"), value.to_owned()))
    })
}

fn metrics(
    folder: &std::path::Path,
    model: Option<&Record>,
) -> Result<BTreeMap<&'static str, f64>, Fatal> {
    let unreadable = |e: artifacts::ArtifactError| {
        Fatal::failed(e.to_string(), "run its stage again with --force")
    };
    let means = Metrics::read(folder).map_err(unreadable)?.means();
    let card = Summary::read(folder).map_err(unreadable)?.model;
    let fact = |name: &str| model.and_then(|r| r.facts.get(name)?.as_f64());
    let metrics = Metric::ALL.iter().map(|m| m.as_str());
    let metrics = metrics.map(|name| (name, means.get(name).copied()));
    let of_models = [
        ("iterations", card.iterations.map(|n| n as f64)),
        ("trainable", card.trainable.map(|n| n as f64)),
        ("seconds", fact("training_seconds")),
        (
            "peak_mib",
            fact("peak_gpu_memory_mib").or_else(|| fact("peak_memory_mib")),
        ),
    ];
    Ok(metrics
        .chain(of_models)
        .filter_map(|(name, value)| Some((name, value?)))
        .collect())
}

/// The parameters whose value is not the same in all rows. A field says nothing new where a label, or a field before it,
/// parts the rows alike.
fn differing(rows: &[Row]) -> Vec<String> {
    let all: BTreeSet<&String> = rows.iter().flat_map(|r| r.parameters.keys()).collect();
    let (labels, fields): (Vec<&String>, Vec<&String>) =
        all.into_iter().partition(|n| !n.contains('.'));
    let mut seen: Vec<Vec<usize>> = Vec::new();
    let mut found = Vec::new();
    for name in labels.into_iter().chain(fields) {
        let values: Vec<Option<&String>> = rows.iter().map(|r| r.parameters.get(name)).collect();
        let first = |v: Option<&String>| values.iter().position(|o| *o == v).unwrap_or(0);
        let parts: Vec<usize> = values.iter().copied().map(first).collect();
        let is_same = parts.iter().all(|p| *p == 0);
        let is_known = name.contains('.') && seen.contains(&parts);
        if !is_same && !is_known {
            found.push(name.clone());
        }
        seen.push(parts);
    }
    found
}

fn number(metric: &str, value: f64) -> String {
    if Metric::ALL.iter().any(|m| m.as_str() == metric) {
        return format!("{value:.4}");
    }
    match metric {
        "seconds" => format!("{value:.1}"),
        _ => format!("{value:.0}"), // counts
    }
}

fn text(rows: &[Row], parameters: &[String], metrics: &[&str]) -> String {
    let head = std::iter::once("stage".to_owned())
        .chain(parameters.iter().map(|p| shown::line(p).into_owned()))
        .chain(metrics.iter().map(|m| (*m).to_owned()));
    let line = |row: &Row| -> Vec<String> {
        let own = |p: &String| {
            row.parameters
                .get(p)
                .map_or("–".into(), |v| shown::line(v).into_owned())
        };
        let value = |m: &&str| row.metrics.get(m).map_or("–".into(), |v| number(m, *v));
        std::iter::once(shown::line(&row.stage).into_owned())
            .chain(parameters.iter().map(own))
            .chain(metrics.iter().map(value))
            .collect()
    };
    let lines: Vec<Vec<String>> = std::iter::once(head.collect())
        .chain(rows.iter().map(line))
        .collect();
    let columns = 1 + parameters.len() + metrics.len();
    let all = |line: &Vec<String>| line.iter().map(|c| c.chars().count() + 2).sum::<usize>();
    if let Some(width) = screen::width().filter(|w| lines.iter().any(|l| all(l) > *w)) {
        let cells: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| line.iter().map(String::as_str).collect())
            .collect();
        return fit::in_parts(&cells, 1, width);
    }
    let width = |c: usize| {
        lines
            .iter()
            .map(|l| l[c].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (c, cell) in line.iter().enumerate() {
            let space = " ".repeat(widths[c] - cell.chars().count());
            // Numbers stand to the right.
            let is_number = c > parameters.len();
            text += &if is_number {
                format!("{space}{cell}  ")
            } else {
                format!("{cell}{space}  ")
            };
        }
        out += &format!("{}\n", text.trim_end());
    }
    out
}

fn json_of(row: &Row, parameters: &[String]) -> Value {
    let own = parameters
        .iter()
        .filter_map(|p| Some((p.clone(), json!(row.parameters.get(p)?))));
    let own: Map<String, Value> = own.collect();
    json!({"stage": row.stage, "parameters": own, "metrics": row.metrics})
}

fn csv_of(rows: &[Row], parameters: &[String], metrics: &[&str]) -> Result<String, Fatal> {
    let failed = |e: &dyn std::fmt::Display| Fatal::failed(format!("cannot write CSV: {e}"), "");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = std::iter::once("stage".to_owned()).chain(parameters.iter().map(|p| guarded(p)));
    let head = head.chain(metrics.iter().map(|&m| m.to_owned()));
    writer.write_record(head).map_err(|e| failed(&e))?;
    for row in rows {
        let own = parameters.iter().map(|p| {
            row.parameters
                .get(p)
                .map_or(String::new(), |value| guarded(value))
        });
        let values = metrics
            .iter()
            .map(|m| row.metrics.get(m).map_or(String::new(), f64::to_string));
        let record = std::iter::once(guarded(&row.stage))
            .chain(own)
            .chain(values);
        writer.write_record(record).map_err(|e| failed(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}
