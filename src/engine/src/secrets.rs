//! Secrets that stages to run ask for and that are not there.
//! Unaware of their values.

use diagnostics::{Diagnostic, Diagnostics};
use plan::{Plan, Verdict};
use spec::Pipeline;

use crate::error::Error;

/// A line for each secret of a stage to run that is not set.
pub fn missing(pipeline: &Pipeline, plan: &Plan) -> Vec<String> {
    let stale = plan
        .stages
        .iter()
        .filter(|p| matches!(p.verdict, Verdict::Stale(_)));
    let stages = stale.map(|p| &pipeline.stages[p.stage]);
    let lines = stages.flat_map(|stage| {
        let name = &stage.name;
        stage.handed.missing().map(move |secret| {
            format!("the secret `{secret}` of the stage `{name}` is not set in the environment")
        })
    });
    lines.collect()
}

/// Nothing runs before all secrets are there: the stage that wants one may be the last.
pub fn check(pipeline: &Pipeline, plan: &Plan) -> Result<(), Error> {
    let hint = "export it: `secrets:` hands it on and stores nothing of it";
    let one = |message| Diagnostic::error("secret", message, hint);
    let first: Vec<Diagnostic> = missing(pipeline, plan).into_iter().map(one).collect();
    match first.as_slice() {
        [] => Ok(()),
        _ => Err(Error::from(Diagnostics { first, more: 0 })),
    }
}
