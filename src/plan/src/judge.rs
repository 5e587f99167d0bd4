//! Judges whether a stage is fresh, stale or blocked, with every reason.
//! Unaware of how reasons are printed.

use std::collections::BTreeMap;

use spec::names::Precision;
use spec::{Edge, External, Kind, Pipeline, Read, Stage};
use store::Digest;

use crate::datasets;
use crate::planned::Known;
use crate::verdict::{Change, Reason, Verdict};
use crate::world::{Past, Stored, World};

/// More blocked inputs than this are counted, not listed.
const MOST_INPUTS: usize = 6;

/// What a stage waits for that nobody here can make: data outside, or a stage that is blocked.
pub(super) fn missing(
    pipeline: &Pipeline,
    stage: &Stage,
    planned: &Known,
    world: &World<'_>,
) -> Vec<String> {
    let outside = world.outside;
    let unknown = |path: &std::path::Path| format!("`{}` was not looked at", path.display());
    let files = stage.external.iter().filter_map(|external| {
        let (field, path, place) = (external.field, &external.path, &external.place);
        let found = outside.get(&(external.listing.clone(), path.clone()));
        let owner = datasets::owner(&stage.kind, path);
        let (field, why) = match (found, owner) {
            (Some(found), Some(owner)) => ("dataset", datasets::trouble(owner, path, found)?),
            (Some(Ok(files)), None) => (field, absent_files(&stage.kind, external, files)?),
            (Some(Err(why)), None) => (field, why.clone()),
            (None, _) => (field, unknown(path)),
        };
        let at = match place.line {
            0 => String::new(),
            line => format!("{}:{line}:{}: ", place.source, place.column),
        };
        Some(format!("{at}{field}: {why}"))
    });
    let blocked = |at: &usize| {
        matches!(
            planned.get(*at).map(|p| &p.verdict),
            Some(Verdict::Blocked(_))
        )
    };
    let inputs: Vec<&Edge> = stage.inputs.iter().filter(|e| blocked(&e.stage)).collect();
    files
        .chain(unknown_program(stage))
        .chain(wrong_device(stage, world))
        .chain(blocked_inputs(pipeline, stage, &inputs))
        .collect()
}

/// A line for each blocked input or, where there are many, one that counts them.
fn blocked_inputs(pipeline: &Pipeline, stage: &Stage, blocked: &[&Edge]) -> Vec<String> {
    if blocked.len() > MOST_INPUTS {
        let (some, all) = (blocked.len(), stage.inputs.len());
        return vec![format!("{some} of its {all} inputs are blocked")];
    }
    let name = |e: &Edge| &pipeline.stages[e.stage].name;
    let line = |e: &&Edge| format!("input `{}` ({}) is blocked", e.role, name(e));
    blocked.iter().map(line).collect()
}

/// A program whose digest is to be in the key must be there.
fn unknown_program(stage: &Stage) -> Option<String> {
    let Kind::Command(command) = &stage.kind else {
        return None;
    };
    let unknown =
        command.key.is_some() && stage.program.is_none() && !command.program_is_an_input();
    unknown.then(|| format!("key: there is no program `{}` in PATH", command.program()))
}

/// Why the device of the plan cannot compute with the numbers that the stage wants.
fn wrong_device(stage: &Stage, world: &World<'_>) -> Option<String> {
    let (field, wanted) = stage.kind.low_precision()?;
    let bf16 = wanted == Precision::Bf16.as_str();
    if !world.numerics.starts_with("cpu") || (bf16 && world.cpu_bf16) {
        return None;
    }
    let why = if bf16 {
        "needs CUDA or a processor with AVX512-BF16, and this plan is for a processor without"
    } else {
        "computes on CUDA only, and this plan is for the CPU"
    };
    Some(format!(
        "`{field}: {wanted}` {why}\nhint: use `--device cuda`, or `precision: fp32`"
    ))
}

/// Which files that the stage names are not in the folder.
fn absent_files(kind: &Kind, external: &External, files: &[(String, Digest)]) -> Option<String> {
    let there = |name: &&String| files.iter().any(|(file, _)| file == *name);
    let absent: Vec<&str> = kind
        .needs(external.role)
        .iter()
        .filter(|n| !there(n))
        .map(String::as_str)
        .collect();
    let path = external.path.display();
    let message = || format!("`{path}` holds no {}", absent.join(", "));
    (!absent.is_empty()).then(message)
}

/// The verdict on a stage whose key is known, by what is stored under it. Its inputs are judged already.
pub(super) fn judge(
    pipeline: &Pipeline,
    at: usize,
    stored: Stored,
    differing: &[Read<'_>],
    planned: &Known,
    world: &World<'_>,
) -> Verdict {
    let stage = &pipeline.stages[at];
    let mut reasons = Vec::new();
    match stored {
        Stored::Whole => {}
        Stored::Missing(files) => reasons.push(Reason::OutputMissing(files)),
        Stored::Damaged(files) => reasons.push(Reason::OutputDamaged(files)),
        Stored::Nothing => reasons.extend(absent(pipeline, at, planned, world.past)),
    }
    if !world.keep_consumers {
        let name = |at: usize| pipeline.stages[at].name.clone();
        reasons.extend(differing.iter().map(|edge| Reason::InputDiffers {
            role: edge.role.to_string(),
            stage: name(edge.stage),
        }));
    }
    if world.force.contains(&at) {
        reasons.push(Reason::Forced);
    }
    reasons.extend(forced_input(pipeline, stage, planned));
    reasons.shrink_to_fit(); // one in most cases, and there may be a million stages
    if reasons.is_empty() {
        Verdict::Fresh
    } else {
        Verdict::Stale(reasons)
    }
}

/// What is made from a forced stage is made anew too: a number must come from the result that is stored.
fn forced_input(pipeline: &Pipeline, stage: &Stage, planned: &Known) -> Option<Reason> {
    let forced = |at: usize| planned.get(at).is_some_and(|p| p.verdict.is_forced());
    let input = stage.inputs.iter().find(|e| forced(e.stage))?;
    Some(Reason::InputForced {
        stage: pipeline.stages[input.stage].name.clone(),
    })
}

/// Whether nothing but keys of inputs is another than when the stage last had a result, so that it need not run if they
/// come out with the same bytes.
pub(super) fn may_be_spared(
    pipeline: &Pipeline,
    at: usize,
    verdict: &Verdict,
    world: &World<'_>,
) -> bool {
    let stage = &pipeline.stages[at];
    let Verdict::Stale(reasons) = verdict else {
        return false;
    };
    let of_input = |reason: &Reason| match reason {
        Reason::InputStale { .. } => true,
        Reason::Changed(change) => change.path.starts_with("input."),
        _ => false,
    };
    !stage.kind.is_report()
        && reasons.iter().all(of_input)
        && world.past.last_can_be_taken_over(&stage.name)
}

fn absent(pipeline: &Pipeline, at: usize, planned: &Known, past: &dyn Past) -> Vec<Reason> {
    let stage = &pipeline.stages[at];
    let manifest = planned.get(at).map_or("", |p| p.manifest.as_str());
    let key = planned.get(at).and_then(|p| p.key);
    if key.is_some_and(|key| past.was_damaged(&key)) {
        return vec![Reason::WasDamaged];
    }
    let Some(old) = past.last_manifest(&stage.name) else {
        return vec![Reason::NeverRan];
    };
    let stale = |at: &usize| !matches!(planned.get(*at).map(|p| &p.verdict), Some(Verdict::Fresh));
    let inputs = stage
        .inputs
        .iter()
        .filter(|e| stale(&e.stage))
        .map(|e| Reason::InputStale {
            role: e.role.clone(),
            stage: pipeline.stages[e.stage].name.clone(),
        });
    let mut reasons: Vec<Reason> = inputs.collect();
    let explained = |path: &str| {
        reasons.iter().any(
            |r| matches!(r, Reason::InputStale { role, .. } if path == format!("input.{role}")),
        )
    };
    let changes = changes(&old, manifest);
    let changed: Vec<Reason> = changes
        .into_iter()
        .filter(|c| !explained(&c.path))
        .map(|change| Reason::Changed(without_secrets(stage, change)))
        .collect();
    reasons.extend(changed);
    if reasons.is_empty() {
        vec![Reason::NotStored]
    } else {
        reasons
    }
}

/// What `pass_env:` hands on stood in the manifest in clear text once.
fn without_secrets(stage: &Stage, mut change: Change) -> Change {
    let name = change.path.strip_prefix("config.env.");
    let handed = &stage.handed;
    if name.is_some_and(|n| handed.pass.contains_key(n) || handed.secrets.contains_key(n)) {
        change.old = change.old.map(|_| "***".into());
    }
    change
}

/// The lines in which two manifests differ, by path.
pub fn changes(old: &str, new: &str) -> Vec<Change> {
    let (old, new) = (lines(old), lines(new));
    let paths: std::collections::BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let change = |path: &str| Change {
        path: path.to_owned(),
        old: old.get(path).map(|v| (*v).to_owned()),
        new: new.get(path).map(|v| (*v).to_owned()),
    };
    paths
        .into_iter()
        .filter(|p| old.get(p) != new.get(p))
        .map(change)
        .collect()
}

fn lines(manifest: &str) -> BTreeMap<&str, &str> {
    // Not `lines()`, which takes a carriage return at the end of a value for a part of the line's end.
    manifest
        .split_terminator('\n')
        .map(|line| {
            line.split_once('\t')
                .or_else(|| line.split_once(' '))
                .unwrap_or((line, ""))
        })
        .collect()
}
