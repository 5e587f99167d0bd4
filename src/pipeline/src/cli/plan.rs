//! `pipeline plan`: what would run and why, what is fresh, and how long it may take.
//! Unaware of running.

use std::collections::BTreeMap;
use std::path::PathBuf;

use diagnostics::shown::{self, counted};
use serde_json::json;

use super::args::{PipelineArgs, PlanArgs};
use super::bytes::bytes;
use super::duration::duration;
use super::estimates::Estimates;
use super::{Exit, Fatal, data, hints, open, print_json, print_states, screen, why};
use engine::history::Seconds;
use engine::how_placed::how_placed;
use engine::session::{Access, Session};
use engine::{decoded, execute, keep_decoded, materialize, secrets};
use plan::{self, Causes, Plan, Planned, Reason, Verdict};
use store::DecodedRoom;

/// Prints the plan.
pub fn plan(args: &PlanArgs) -> Result<Exit, Fatal> {
    let session = open(&args.pipeline, Access::Read)?;
    let plan = session.plan();
    let exit = exit_of(&plan);
    if args.pipeline.json {
        print_json(&json_lines(&session, &plan));
    } else {
        show(&session, &plan, args);
    }
    // The process ends here: to free a million stages one by one would take a while for nothing.
    std::mem::forget((session, plan));
    Ok(exit)
}

/// Nothing can run and something should: a script that goes on to `run` is told.
fn exit_of(plan: &Plan) -> Exit {
    let (_, stale, blocked) = plan.counts();
    if stale == 0 && blocked > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// Blocked stages up to this number have a line each.
const MOST_BLOCKED: usize = 24;

/// Many blocked stages as a list of what they wait for: they are stages that wait for each other, and in the end for a few
/// files. Each with how many stages read it.
fn blocked(session: &Session, plan: &Plan) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for planned in &plan.stages {
        let Verdict::Blocked(missing) = &planned.verdict else {
            continue;
        };
        let kind = session.pipeline.stages[planned.stage].kind.name();
        *kinds.entry(kind).or_default() += 1;
        let own = missing.iter().filter(|m| !m.ends_with("blocked"));
        for cause in own {
            // The place in the file differs from stage to stage; what is missing does not.
            let what = cause
                .rsplit_once(": ")
                .map_or(cause.as_str(), |(_, what)| what);
            *causes.entry(shown::line(what).into_owned()).or_default() += 1;
        }
    }
    let count: usize = kinds.values().sum();
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    let mut out = format!(
        "  blocked  {} ({}), by what is missing; -v lists each\n",
        counted(count, "stage"),
        kinds.join(", ")
    );
    for (cause, stages) in causes {
        out += &format!("           - {cause}  ({})\n", counted(stages, "stage"));
    }
    out
}

/// Text is printed in pieces of about this size: all of a large plan's would take as much memory as its stages.
const PIECE: usize = 1 << 20;

/// What a run would move beside to put an output there.
fn edited(session: &Session, plan: &Plan) -> String {
    const SHOWN: usize = 5;
    let paths = materialize::edited(session, plan);
    let line = |path: &PathBuf| {
        format!(
            "note: `{}` is not what was put there; a run keeps it beside, as `{0}.kept-1` or with the next free number\n",
            files::Name(path)
        )
    };
    let mut lines: String = paths.iter().take(SHOWN).map(line).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => {}
        more => lines += &format!("note: the same holds of {more} more\n"),
    }
    lines
}

fn show(session: &Session, plan: &Plan, args: &PlanArgs) {
    let PipelineArgs { quiet, verbose, .. } = args.pipeline;
    let (fresh, stale, blocked) = plan.counts();
    let mut out = format!(
        "{}: {} on {}: {stale} to run, {fresh} fresh, {blocked} blocked\n",
        session.pipeline.file.display(),
        counted(plan.stages.len(), "stage"),
        session.device,
    );
    for (name, value) in &session.pipeline.env_used {
        let value = if session.pipeline.is_secret(name) {
            "***".into()
        } else {
            shown::line(value)
        };
        out += &format!("  from the environment: {name}={value}\n");
    }
    if !session.pipeline.env_used.is_empty() && verbose {
        out += "  (records, journals and archives keep these values in clear text; those of `secrets:` are kept nowhere)\n";
    }
    for text in &session.pipeline.overrides {
        out += &format!("  --set {}\n", shown::line(text));
    }
    let names = plan
        .stages
        .iter()
        .map(|p| session.pipeline.stages[p.stage].name.chars().count());
    let width = names.max().unwrap_or(0);
    // On a terminal a few long names do not push what is said of all stages into the next line.
    let width = screen::width().map_or(width, |columns| width.min(columns * 2 / 5));
    let estimates = Estimates::new(session, plan);
    let causes = Causes::new(&session.pipeline, plan);
    let groups = blocked > MOST_BLOCKED && !verbose;
    if groups {
        out += &self::blocked(session, plan);
    }
    for planned in &plan.stages {
        let is_grouped = groups && matches!(planned.verdict, Verdict::Blocked(_));
        if !is_grouped && (!quiet || planned.verdict != Verdict::Fresh) {
            let cause = cause(session, plan, planned, &causes);
            out += &line(session, planned, width, verbose, &estimates, cause);
            if verbose && matches!(planned.verdict, Verdict::Stale(_)) {
                let how = how_placed(session, plan, planned.stage);
                out += &how.map_or(String::new(), |how| format!("           {how}\n"));
            }
            if out.len() > PIECE {
                print_states(&out);
                out.clear();
            }
        }
    }
    if stale > 0 {
        out += &estimates.total(stale, args.hourly);
    }
    out += &of_other_device(session, plan);
    if groups {
        let mut check = vec!["data".to_owned(), "check".to_owned()];
        check.push(session.options.file.to_string_lossy().into_owned());
        let command = session.command_of(&check);
        out +=
            &format!("`{command}` says where data sets and weights go, and where they come from\n");
    } else {
        for notice in data::notices(&data::states_of(session, plan)) {
            out += &format!("{notice}\n");
        }
    }
    for hint in hints::hints(&session.pipeline, plan) {
        out += &format!("{hint}\n");
    }
    out += &edited(session, plan);
    for room in decoded::rooms(session, plan) {
        out += &format!("note: {}\n", decoded_line(session, &room));
    }
    if let Some(notice) = execute::walls_notice(session, plan) {
        out += &format!("note: {notice}\n");
    }
    for line in secrets::missing(&session.pipeline, plan) {
        out += &format!("warning: {line}\n");
    }
    print_states(&out);
}

/// What images will take that trainings keep decoded.
fn decoded_line(session: &Session, room: &decoded::Room) -> String {
    let about = if room.is_exact { "" } else { "about " };
    let place = DecodedRoom::new(&session.store.decoded_path());
    let missing = |free| {
        format!(
            "; {} are free, and {} are left to others, so they would be decoded again and again",
            bytes(free),
            bytes(DecodedRoom::LEFT)
        )
    };
    let missing = place.shortage(room.bytes).map_or_else(String::new, missing);
    format!(
        "images of `{}` are kept decoded for trainings: {about}{} more in the cache, and little for masks{missing} \
         ({}=off does without)",
        session.pipeline.stages[room.stage].name,
        bytes(room.bytes),
        keep_decoded::VARIABLE
    )
}

/// How many stages to run have a result of the other kind of device, where anything was computed there.
fn of_other_device(session: &Session, plan: &Plan) -> String {
    let other = match session.device {
        spec::Device::Cpu => "cuda",
        spec::Device::Cuda(_) => "cpu",
    };
    if !Seconds::read(session.store.root()).knows(other) {
        return String::new();
    }
    let Some((device, there)) = session.plan_of_other_device() else {
        return String::new();
    };
    let is_there = |p: &&Planned| {
        let of = there.get(p.stage);
        p.verdict != Verdict::Fresh && of.is_some_and(|p| p.verdict == Verdict::Fresh)
    };
    match plan.stages.iter().filter(is_there).count() {
        0 => String::new(),
        n => format!(
            "note: {} of these have a result on {device}: --device {device} plans with them\n",
            counted(n, "stage")
        ),
    }
}

fn line(
    session: &Session,
    planned: &Planned,
    width: usize,
    verbose: bool,
    estimates: &Estimates,
    cause: Option<String>,
) -> String {
    let stage = &session.pipeline.stages[planned.stage];
    let word = why::word(&planned.verdict);
    let key = planned
        .key
        .filter(|_| verbose)
        .map_or(String::new(), |k| format!("  {}", k.short()));
    let mut out = format!(
        "  {word:<7}  {:<width$}  {:<10}{key}",
        stage.name,
        stage.kind.name()
    );
    let estimate = estimates.of(planned.stage);
    let estimate = estimate.map_or(String::new(), |e| {
        format!("  (estimate {})", duration(e.seconds))
    });
    let mut details = why::details(&planned.verdict);
    details.extend(why::notes(&session.pipeline, planned));
    details.extend(cause);
    // A hint stands below what it belongs to.
    let details: Vec<String> = details
        .iter()
        .map(|d| shown::said(d).replace('\n', "\n             "))
        .collect();
    if let [only] = details.as_slice() {
        out += &format!("  {only}");
    }
    out = out.trim_end().to_owned() + &estimate + "\n";
    if details.len() > 1 {
        for detail in details {
            out += &format!("           - {detail}\n");
        }
    }
    for left in session.left(planned.stage) {
        out += &format!("           note: {left}\n");
    }
    out
}

/// Where it began, for a stage that runs only because its inputs do.
fn cause(session: &Session, plan: &Plan, planned: &Planned, causes: &Causes) -> Option<String> {
    let Verdict::Stale(reasons) = &planned.verdict else {
        return None;
    };
    let from_input =
        |r: &Reason| matches!(r, Reason::InputStale { .. } | Reason::InputForced { .. });
    if !reasons.iter().any(from_input) {
        return None;
    }
    let direct = plan::stale_inputs(&session.pipeline, plan, planned.stage);
    let ends = causes.of(planned.stage).iter().copied();
    let further: Vec<usize> = ends.filter(|c| direct.binary_search(c).is_err()).collect();
    if further.is_empty() {
        return None;
    }
    let names: Vec<&str> = further
        .iter()
        .take(3)
        .map(|&at| session.pipeline.stages[at].name.as_str())
        .collect();
    let more = if further.len() > 3 { ", …" } else { "" };
    Some(format!("it began with {}{more}", names.join(", ")))
}

fn json_lines(session: &Session, plan: &Plan) -> String {
    let (fresh, stale, blocked) = plan.counts();
    let estimates = Estimates::new(session, plan);
    let causes = Causes::new(&session.pipeline, plan);
    let mut out = String::new();
    for planned in &plan.stages {
        let stage = &session.pipeline.stages[planned.stage];
        let (verdict, reasons) = match &planned.verdict {
            Verdict::Fresh => ("fresh", Vec::new()),
            Verdict::Stale(reasons) => ("stale", reasons.iter().map(why::reason_json).collect()),
            Verdict::Blocked(_) => ("blocked", Vec::new()),
        };
        let ends = causes.of(planned.stage).iter();
        let began: Vec<&str> = ends
            .map(|at| session.pipeline.stages[*at].name.as_str())
            .collect();
        let mut notes = why::notes(&session.pipeline, planned);
        notes.extend(session.left(planned.stage).into_iter().map(str::to_owned));
        let line = json!({
            "event": "planned", "stage": stage.name, "kind": stage.kind.name(),
            "key": planned.key.map(|k| k.to_string()), "verdict": verdict,
            "notes": why::notes(&session.pipeline, planned), "reasons": why::details(&planned.verdict), "why": reasons,
            "began_with": began, "may_be_spared": planned.may_be_spared,
            "estimated_seconds": estimates.of(planned.stage).map(|e| e.seconds),
        });
        out += &format!("{line}\n");
    }
    out + &format!(
        "{}\n",
        json!({"event": "finished", "stale": stale, "fresh": fresh, "blocked": blocked})
    )
}
