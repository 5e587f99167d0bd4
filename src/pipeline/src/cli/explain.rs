//! `pipeline explain`: why a stage is fresh or stale, every reason, and the chain up to where it began.
//! Unaware of running.

use std::collections::BTreeSet;

use diagnostics::shown;
use serde_json::json;
use spec::{Kind, Stage};
use store::Record;

use super::args::{ExplainArgs, some};
use super::duration::duration;
use super::{Exit, Fatal, open, print_json, print_lines, why};
use engine::history::{History, StageEnd};
use engine::run::find_program;
use engine::session::{Access, Session};
use plan::{self, Causes, Plan, Planned, Verdict};

/// Explains each stage that the arguments name.
pub fn explain(args: &ExplainArgs) -> Result<Exit, Fatal> {
    let (common, stages) = args.common.with_words(&args.words)?;
    let stages = some(stages, "explain FILE STAGE")?;
    let session = open(&common.pipeline(stages)?, Access::Read)?;
    let plan = session.plan();
    let causes = Causes::new(&session.pipeline, &plan);
    for planned in session.wanted.iter().filter_map(|&at| plan.get(at)) {
        if args.json {
            print_json(&json_line(&session, planned, &causes));
        } else {
            print_lines(&text(&session, &plan, planned, args.verbose));
        }
    }
    Ok(Exit::Done)
}

fn text(session: &Session, plan: &Plan, planned: &Planned, verbose: bool) -> String {
    let stage = &session.pipeline.stages[planned.stage];
    let state = match &planned.verdict {
        Verdict::Fresh => "fresh",
        Verdict::Stale(_) => "to run",
        Verdict::Blocked(_) => "blocked",
    };
    let mut out = format!("{} ({}): {state}\n", stage.name, stage.kind.name());
    if let Some(key) = planned.key {
        out += &format!("  key {key}\n");
        if let Ok(Some(record)) = session.store.record(&key) {
            out += &stored(&record);
            if !stage.inputs.is_empty() && record.facts.consumed().is_none() {
                out += "  consumed: not recorded (an earlier program made it); it counts as made from what is stored\n";
            }
            if let Some(source) = record.facts.source() {
                out +=
                    &format!("  not run: same inputs by content as {source}, whose result it is\n");
            }
            out += &program_note(session, stage, &record);
        }
    }
    if planned.verdict != Verdict::Fresh
        && let Some((device, other)) = session.plan_of_other_device()
        && other
            .get(planned.stage)
            .is_some_and(|p| p.verdict == Verdict::Fresh)
    {
        out += &format!("  note: it has a result on {device}: --device {device}\n");
    }
    if planned.verdict != Verdict::Fresh
        && let Some(line) = last_failure(session, planned)
    {
        out += &line;
    }
    for note in why::notes(&session.pipeline, planned) {
        out += &format!("  note: {note}\n");
    }
    out += &chain(session, plan, planned.stage);
    if verbose {
        out += "  what determines its result:\n";
        for line in planned.manifest.split_terminator('\n') {
            out += &format!("    {}\n", line.replacen('\t', "  ", 1));
        }
    }
    out
}

/// Newest runs that are looked through for a failed try.
const RUNS: usize = 100;

/// The newest run in which this very stage, with its key, was tried, if it failed there.
fn last_failure(session: &Session, planned: &Planned) -> Option<String> {
    let (name, key) = (
        &session.pipeline.stages[planned.stage].name,
        planned.key?.to_string(),
    );
    let history = History::open(session.store.root());
    let mut newest = history.ids().iter().rev().take(RUNS);
    let (id, end, message) = newest.find_map(|id| {
        let past = history.read(id).ok()?;
        let line = past.stages.iter().rev().find(|line| line.name == *name)?;
        let is_this = history.keys(&past).get(name) == Some(&key);
        is_this.then(|| (id, line.end, line.message.clone()))
    })?;
    // Its further lines are indented, so that none can pass for one of ours.
    let message = shown::text(&message).replace('\n', "\n  ");
    (end == StageEnd::Failed).then(|| format!("  last try: failed in run {id}: {message}\n"))
}

/// When and how a stored result was made.
fn stored(record: &Record) -> String {
    let text = |name: &str| match record.facts.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "?".into(),
    };
    let seconds = record
        .facts
        .get("seconds")
        .and_then(serde_json::Value::as_f64);
    format!(
        "  stored: {} file{}, made {} on {} ({}) in {}\n",
        record.outputs.len(),
        if record.outputs.len() == 1 { "" } else { "s" },
        text("finished"),
        text("host"),
        text("device"),
        seconds.map_or("?".into(), duration),
    )
}

/// Whether the program that PATH finds now is the one that made a result. It is in the key only where the stage says so.
fn program_note(session: &Session, stage: &Stage, record: &Record) -> String {
    let Kind::Command(command) = &stage.kind else {
        return String::new();
    };
    let fact = |name: &str| record.facts.get(name).and_then(serde_json::Value::as_str);
    let (Some(path), Some(digest)) = (fact("program"), fact("program_blake3")) else {
        return String::new();
    };
    let name = command.program();
    let now =
        find_program(command, &stage.folder).or_else(|| name.starts_with('/').then(|| name.into()));
    let Some(now) = now else {
        return format!("  program: `{path}` made it, and there is no `{name}` in PATH now\n");
    };
    let same = session
        .store
        .digest(&now)
        .is_ok_and(|found| found.to_string() == digest);
    let shown = now.display();
    if same {
        format!("  program: {shown}\n")
    } else {
        let was = if now == *path {
            String::new()
        } else {
            format!(", which was {path}")
        };
        format!(
            "  note: the program {shown} is another than when this was made{was}; `key: program` has it in the key\n"
        )
    }
}

/// So many stages are told of in one chain, and so deep their lines are indented.
const TOLD: usize = 1000;
const DEEPEST: usize = 40;

/// The reasons of a stage, and below them those of each input that is not fresh. A stage is told of once. What is still to
/// be told is a stack here: a chain may be as long as the file.
fn chain(session: &Session, plan: &Plan, at: usize) -> String {
    let mut out = String::new();
    let mut told = BTreeSet::new();
    let mut next = vec![(at, 1)];
    while let Some((at, depth)) = next.pop() {
        let Some(planned) = plan.get(at) else {
            continue;
        };
        let margin = "  ".repeat(depth.min(DEEPEST));
        if depth > 1 {
            let stage = &session.pipeline.stages[at];
            let (outer, name) = (&margin[2..], &stage.name);
            if !told.insert(at) {
                out += &format!("{outer}{name}: see above\n");
                continue;
            }
            if told.len() > TOLD {
                return out + "  …\n";
            }
            out += &format!("{outer}{name} ({}):\n", stage.kind.name());
        }
        for detail in why::details(&planned.verdict) {
            let detail = shown::said(&detail).replace('\n', &format!("\n{margin}  "));
            out += &format!("{margin}- {detail}\n");
        }
        let inputs = plan::stale_inputs(&session.pipeline, plan, at);
        next.extend(inputs.into_iter().rev().map(|input| (input, depth + 2)));
    }
    out
}

fn json_line(session: &Session, planned: &Planned, causes: &Causes) -> String {
    let stage = &session.pipeline.stages[planned.stage];
    let name = |at: &usize| session.pipeline.stages[*at].name.clone();
    let reasons: Vec<_> = match &planned.verdict {
        Verdict::Stale(reasons) => reasons.iter().map(why::reason_json).collect(),
        _ => Vec::new(),
    };
    let began: Vec<String> = causes.of(planned.stage).iter().map(name).collect();
    let line = json!({
        "stage": stage.name, "kind": stage.kind.name(), "key": planned.key.map(|k| k.to_string()),
        "verdict": why::word(&planned.verdict), "why": reasons, "began_with": began,
        "notes": why::notes(&session.pipeline, planned), "details": why::details(&planned.verdict), "manifest": planned.manifest,
    });
    format!("{line}\n")
}
