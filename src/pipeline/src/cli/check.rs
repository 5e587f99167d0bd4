//! `pipeline run --check`: tables against what they are expected to show.
//! Unaware of how a table is made.

use std::path::{Path, PathBuf};

use serde_json::json;
use spec::Kind;

use super::args::RunArgs;
use super::{Exit, Fatal, print, print_json};
use engine::executors::ReportExecutor;
use engine::session::Session;
use plan::Plan;
use report::table::{self, Checked, Published};

/// A table and the file it is compared with.
pub struct Check {
    stage: usize,
    file: PathBuf,
}

/// What `--check` asks for, each file read once before anything runs.
pub fn wanted(args: &RunArgs, session: &Session, plan: &Plan) -> Result<Vec<Check>, Fatal> {
    let mut checks = Vec::new();
    for text in &args.check {
        let check = one(text, session, plan)?;
        if let Kind::Table(table) = &session.pipeline.stages[check.stage].kind {
            Published::expected(&check.file, table)
                .map_err(|e| Fatal::usage(e.to_string(), e.hint()))?;
        }
        checks.push(check);
    }
    Ok(checks)
}

/// `FILE`, where one table is planned, or `TABLE=FILE`.
fn one(text: &str, session: &Session, plan: &Plan) -> Result<Check, Fatal> {
    let name = |at: usize| session.pipeline.stages[at].name.as_str();
    let is_table = |at: &usize| matches!(session.pipeline.stages[*at].kind, Kind::Table(_));
    let mut tables: Vec<usize> = plan
        .stages
        .iter()
        .map(|p| p.stage)
        .filter(is_table)
        .collect();
    tables.sort_unstable();
    let names: Vec<&str> = tables.iter().map(|t| name(*t)).collect();
    let hint = match names.as_slice() {
        [] => "no table is planned".to_owned(),
        _ => format!("write --check TABLE=FILE; tables: {}", names.join(", ")),
    };
    let (wanted, file) = match text.split_once('=') {
        Some((table, file)) if !Path::new(text).exists() => (Some(table), file),
        _ => (None, text),
    };
    let found = match (wanted, tables.as_slice()) {
        (Some(wanted), _) => tables.iter().find(|t| name(**t) == wanted).copied(),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    let stage = found.ok_or_else(|| match wanted {
        Some(wanted) => Fatal::usage(format!("--check: there is no table `{wanted}`"), hint),
        None => Fatal::usage(
            format!(
                "--check: `{file}` may belong to any of {} tables",
                tables.len()
            ),
            hint,
        ),
    })?;
    Ok(Check {
        stage,
        file: file.into(),
    })
}

/// Compares, and says what is not as expected.
pub fn check(
    checks: &[Check],
    args: &RunArgs,
    session: &Session,
    plan: &Plan,
) -> Result<Exit, Fatal> {
    let executor = ReportExecutor {
        pipeline: &session.pipeline,
        plan,
        store: &session.store,
    };
    let mut exit = Exit::Done;
    for check in checks {
        let Kind::Table(table) = &session.pipeline.stages[check.stage].kind else {
            continue;
        };
        let (from, baseline) = executor.evaluations(check.stage);
        let checked = table::check(table, &from, &baseline, &check.file, args.tolerance)
            .map_err(|e| Fatal::usage(e.to_string(), e.hint()))?;
        let name = &session.pipeline.stages[check.stage].name;
        if args.pipeline.json {
            let line = json!({
                "event": "check", "table": name, "file": check.file, "tolerance": args.tolerance,
                "compared": checked.compared, "wrong": checked.wrong,
            });
            print_json(&format!("{line}\n"));
        } else {
            print(&text(name, &check.file, args.tolerance, &checked));
        }
        if !checked.wrong.is_empty() {
            exit = Exit::Differs;
        }
    }
    Ok(exit)
}

fn text(name: &str, file: &Path, tolerance: f64, checked: &Checked) -> String {
    let (compared, wrong, file) = (checked.compared, checked.wrong.len(), file.display());
    let cells = if compared == 1 { "cell" } else { "cells" };
    if wrong == 0 {
        return format!("\ncheck {name}: {compared} {cells} within {tolerance} of {file}\n");
    }
    let mut out =
        format!("\ncheck {name}: {wrong} of {compared} {cells} not within {tolerance} of {file}\n");
    for line in &checked.wrong {
        out += &format!("  {line}\n");
    }
    out
}
