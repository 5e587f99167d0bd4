//! What to do about data that is missing and can be had: SAM's published checkpoints.
//! Unaware of plans' other reasons; nothing is downloaded here.

use std::collections::BTreeSet;

use spec::kinds::Download;
use spec::{Kind, Pipeline};

use plan::{Plan, Verdict, tidy};

/// A text for each file that blocks stages of the plan and that somebody publishes, once.
pub fn hints(pipeline: &Pipeline, plan: &Plan) -> BTreeSet<String> {
    let blocked = plan
        .stages
        .iter()
        .filter(|p| matches!(p.verdict, Verdict::Blocked(_)));
    blocked
        .filter_map(|p| hint(pipeline, &pipeline.stages[p.stage].kind))
        .collect()
}

fn hint(pipeline: &Pipeline, kind: &Kind) -> Option<String> {
    let Download { path, what, url } = kind.download()?;
    if path.exists() || files::is_pattern(path) {
        return None;
    }
    let variable = variable(pipeline, &path.to_string_lossy());
    let variable = variable.map_or(String::new(), |name| {
        format!("\n      or keep it elsewhere and set {name} to its path")
    });
    Some(format!(
        "hint: `{}` is {what}, which is not part of this program.\n      \
         Get it once from {url}\n      and put it there{variable}",
        files::Name(&tidy(path)),
    ))
}

/// The environment variable that may say where the file is.
fn variable<'p>(pipeline: &'p Pipeline, path: &str) -> Option<&'p str> {
    let used = pipeline.env_used.iter();
    let mut names = used.filter(|(_, value)| !value.is_empty() && path.ends_with(*value));
    names.next().map(|(name, _)| name.as_str())
}
