//! One JSON object a line, for programs.
//! Unaware of terminals. The last line is `finished` with the counts.

use serde_json::{Value, json};
use spec::Pipeline;

use crate::cli::{called, print_json};
use engine::run::{Display, Origin, Outcome, RunEvent};

/// Prints events on standard output.
pub struct Json;

impl Display for Json {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        let name = |at: usize| pipeline.stages[at].name.as_str();
        let value = match event {
            RunEvent::Fresh { stage } => json!({"event": "fresh", "stage": name(*stage)}),
            RunEvent::Blocked { stage, missing } => {
                json!({"event": "blocked", "stage": name(*stage), "missing": missing})
            }
            RunEvent::Started { stage } => {
                json!({"event": "started", "stage": name(*stage), "kind": pipeline.stages[*stage].kind.name()})
            }
            RunEvent::Stage { stage, event } => stage_event(name(*stage), event),
            RunEvent::Finished {
                stage,
                seconds,
                origin,
            } => json!({
                "event": "done", "stage": name(*stage), "seconds": seconds, "by_other": *origin == Origin::ByOtherRun,
                "same_inputs_as": same_inputs_as(*origin),
            }),
            RunEvent::Again { stage, message } => {
                json!({"event": "again", "stage": name(*stage), "message": message})
            }
            RunEvent::Retry {
                stage,
                failure,
                alone,
            } => json!({
                "event": "retry", "stage": name(*stage), "message": failure.report.what.message, "alone": alone,
            }),
            RunEvent::Failed {
                stage,
                failure,
                seconds,
            } => json!({
                "event": "failed", "stage": name(*stage), "message": failure.report.what.message, "seconds": seconds,
                "hint": called::in_hint(&failure.report.what.hint), "interrupted": failure.report.interrupted, "log": failure.log,
            }),
            RunEvent::Skipped { stage } => json!({"event": "skipped", "stage": name(*stage)}),
            // The last line comes when the reports are there.
            RunEvent::End { .. } => return,
        };
        print_json(&format!("{value}\n"));
    }
}

/// The last line of a run.
pub fn finished(outcome: Outcome) -> Value {
    json!({
        "event": "finished", "ran": outcome.ran, "fresh": outcome.fresh, "failed": outcome.failed,
        "not_run": outcome.not_run, "interrupted": outcome.interrupted,
    })
}

fn same_inputs_as(how: Origin) -> Option<String> {
    match how {
        Origin::SameInputs(key) => Some(key.to_string()),
        Origin::Ran | Origin::ByOtherRun => None,
    }
}

fn stage_event(stage: &str, event: &spec::Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("stage".into(), stage.into());
    }
    value
}
