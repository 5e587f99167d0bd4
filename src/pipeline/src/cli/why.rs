//! Verdicts and reasons in words and as JSON, for `plan`, `explain` and whoever else tells them.
//! Unaware of where they are printed.

use serde_json::{Value, json};

use spec::Pipeline;

use plan::{Change, Planned, Reason, Verdict};

/// A reason in words.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::NeverRan => "has no result yet".into(),
        Reason::Changed(change) => changed(change),
        Reason::InputStale { role, stage } => {
            format!("its input `{role}` ({stage}) is to be computed")
        }
        Reason::InputForced { stage } => format!("its input {stage} is forced"),
        Reason::InputDiffers { stage, .. } => {
            format!("its input `{stage}` was made again and differs")
        }
        Reason::NotStored => "its result is not in the cache".into(),
        Reason::WasDamaged => "its result was damaged, and was moved aside".into(),
        Reason::OutputMissing(files) => format!("outputs are gone: {}", files.join(", ")),
        Reason::OutputDamaged(files) => format!("outputs are damaged: {}", files.join(", ")),
        Reason::Forced => "forced".into(),
    }
}

/// A verdict in a word.
pub const fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Fresh => "fresh",
        Verdict::Stale(_) => "run",
        Verdict::Blocked(_) => "blocked",
    }
}

/// All that a verdict says, a line each.
pub fn details(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Fresh => Vec::new(),
        Verdict::Stale(reasons) => reasons.iter().map(reason).collect(),
        Verdict::Blocked(missing) => missing.clone(),
    }
}

/// What is to be known of a stage beside its verdict.
pub fn notes(pipeline: &Pipeline, planned: &Planned) -> Vec<String> {
    let names = |stages: &[usize]| {
        let name = |at: &usize| format!("`{}`", pipeline.stages[*at].name);
        stages.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let mut notes = Vec::new();
    if planned.may_be_spared {
        notes.push("spared if its inputs come out with the same bytes as before".to_owned());
    }
    if !planned.unsure.is_empty() {
        notes.push(format!(
            "runs if {} comes out with other bytes than it was made from",
            names(&planned.unsure)
        ));
    }
    if !planned.kept.is_empty() {
        notes.push(format!(
            "kept: its input {} was made again and differs (--keep-consumers)",
            names(&planned.kept)
        ));
    }
    notes
}

/// A line of a manifest, before and now, in words.
pub fn changed(change: &Change) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{}: {} → {}", change.path, short(old), short(new)),
        (None, Some(new)) => format!("{}: new, {}", change.path, short(new)),
        (Some(old), None) => format!("{}: gone, was {}", change.path, short(old)),
        (None, None) => change.path.clone(),
    }
}

/// Digests by their first digits.
fn short(text: &str) -> String {
    let digest = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    let shown = if digest { &text[..12] } else { text };
    shown.to_owned()
}

/// A reason for programs.
pub fn reason_json(reason: &Reason) -> Value {
    match reason {
        Reason::NeverRan => json!({"reason": "never_ran"}),
        Reason::Changed(Change { path, old, new }) => {
            json!({"reason": "changed", "path": path, "old": old, "new": new})
        }
        Reason::InputStale { role, stage } => {
            json!({"reason": "input_stale", "role": role, "stage": stage})
        }
        Reason::InputForced { stage } => json!({"reason": "input_forced", "stage": stage}),
        Reason::InputDiffers { role, stage } => {
            json!({"reason": "input_differs", "role": role, "stage": stage})
        }
        Reason::NotStored => json!({"reason": "not_stored"}),
        Reason::WasDamaged => json!({"reason": "was_damaged"}),
        Reason::OutputMissing(files) => json!({"reason": "output_missing", "files": files}),
        Reason::OutputDamaged(files) => json!({"reason": "output_damaged", "files": files}),
        Reason::Forced => json!({"reason": "forced"}),
    }
}
