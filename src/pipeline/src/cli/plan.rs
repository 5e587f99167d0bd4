//! `pipeline plan`: what would run and why, and what is fresh.
//! Unaware of running.

use serde_json::json;

use super::args::{PipelineArgs, PlanArgs};
use super::session::{Access, Session};
use super::{Exit, Fatal, print};
use crate::plan::{Change, Plan, Planned, Reason, Verdict};

/// Prints the plan.
pub fn plan(args: &PlanArgs) -> Result<Exit, Fatal> {
    let session = Session::open(&args.pipeline, Access::Read)?;
    let plan = session.plan();
    let text = if args.pipeline.json {
        json_lines(&session, &plan)
    } else {
        text(&session, &plan, &args.pipeline)
    };
    print(&text);
    Ok(Exit::Done)
}

fn text(session: &Session, plan: &Plan, args: &PipelineArgs) -> String {
    let (fresh, stale, blocked) = plan.counts();
    let mut out = format!(
        "{}: {} stages on {}: {stale} to run, {fresh} fresh, {blocked} blocked\n",
        session.pipeline.file.display(),
        plan.stages.len(),
        session.device,
    );
    for (name, value) in &session.pipeline.env_used {
        out += &format!("  from the environment: {name}={value}\n");
    }
    let names = plan
        .stages
        .iter()
        .map(|p| session.pipeline.stages[p.stage].name.chars().count());
    let width = names.max().unwrap_or(0);
    for planned in &plan.stages {
        if !args.quiet || planned.verdict != Verdict::Fresh {
            out += &line(session, planned, width, args.verbose);
        }
    }
    out
}

fn line(session: &Session, planned: &Planned, width: usize, verbose: bool) -> String {
    let stage = &session.pipeline.stages[planned.stage];
    let word = match planned.verdict {
        Verdict::Fresh => "fresh",
        Verdict::Stale(_) => "run",
        Verdict::Blocked(_) => "blocked",
    };
    let key = planned
        .key
        .filter(|_| verbose)
        .map_or(String::new(), |k| format!("  {}", k.short()));
    let mut out = format!(
        "  {word:<7}  {:<width$}  {:<10}{key}",
        stage.name,
        stage.kind.name()
    );
    let details: Vec<String> = match &planned.verdict {
        Verdict::Fresh => Vec::new(),
        Verdict::Stale(reasons) => reasons.iter().map(reason).collect(),
        // A hint stands below what it belongs to.
        Verdict::Blocked(missing) => missing
            .iter()
            .map(|m| m.replace('\n', "\n             "))
            .collect(),
    };
    if let [only] = details.as_slice() {
        out += &format!("  {only}");
    }
    out = out.trim_end().to_owned() + "\n";
    if details.len() > 1 {
        for detail in details {
            out += &format!("           - {detail}\n");
        }
    }
    out
}

/// A reason in words.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::NeverRan => "never ran".into(),
        Reason::Changed(change) => changed(change),
        Reason::InputStale { role, stage } => {
            format!("its input `{role}` ({stage}) is to be computed")
        }
        Reason::InputForced { stage } => format!("its input {stage} is forced"),
        Reason::NotStored => "its result is not in the cache".into(),
        Reason::OutputMissing(files) => format!("outputs are gone: {}", files.join(", ")),
        Reason::OutputDamaged(files) => format!("outputs are damaged: {}", files.join(", ")),
        Reason::Forced => "forced".into(),
    }
}

fn changed(change: &Change) -> String {
    let short = |text: &String| {
        let digest = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
        if digest {
            text[..12].to_owned()
        } else {
            text.clone()
        }
    };
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{}: {} → {}", change.path, short(old), short(new)),
        (None, Some(new)) => format!("{}: new, {}", change.path, short(new)),
        (Some(old), None) => format!("{}: gone, was {}", change.path, short(old)),
        (None, None) => change.path.clone(),
    }
}

fn json_lines(session: &Session, plan: &Plan) -> String {
    let (fresh, stale, blocked) = plan.counts();
    let mut out = String::new();
    for planned in &plan.stages {
        let stage = &session.pipeline.stages[planned.stage];
        let (verdict, reasons): (&str, Vec<String>) = match &planned.verdict {
            Verdict::Fresh => ("fresh", Vec::new()),
            Verdict::Stale(reasons) => ("stale", reasons.iter().map(reason).collect()),
            Verdict::Blocked(missing) => ("blocked", missing.clone()),
        };
        let key = planned.key.map(|k| k.to_string());
        let line = json!({
            "event": "planned", "stage": stage.name, "kind": stage.kind.name(), "key": key,
            "verdict": verdict, "reasons": reasons,
        });
        out += &format!("{line}\n");
    }
    out + &format!(
        "{}\n",
        json!({"event": "finished", "stale": stale, "fresh": fresh, "blocked": blocked})
    )
}
