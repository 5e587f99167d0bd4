//! `pipeline graph`: the plan as a picture.
//! Unaware of layout.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::{GraphArgs, GraphFormat, PipelineArgs};
use super::deliver::Delivery;
use super::{Exit, Fatal, open};
use engine::session::Access;
use plan::{Plan, Verdict};
use report::graph::{self, State};

/// Prints the graph, or writes it to a file.
pub fn graph(args: &GraphArgs) -> Result<Exit, Fatal> {
    let session = open(&pipeline_args(args), Access::Read)?;
    let title = args.file.file_name().unwrap_or(args.file.as_os_str());
    let graph = graph::build(
        &title.to_string_lossy(),
        &session.pipeline,
        &states(&session.plan()),
        args.full,
    );
    let output = args.output.as_deref();
    let text = match args.format.unwrap_or_else(|| format_of(output)) {
        GraphFormat::Dot => graph::dot(&graph),
        GraphFormat::Svg => graph::svg(&graph),
        GraphFormat::Mermaid if ends_in(output, &["md"]) => {
            format!("```mermaid\n{}```\n", graph::mermaid(&graph))
        }
        GraphFormat::Mermaid => graph::mermaid(&graph),
    };
    let delivery = Delivery {
        file: output,
        overwrite: args.overwrite,
        sources: &session.pipeline.sources,
        is_former: &is_graph,
    };
    delivery.deliver(&text)?;
    Ok(Exit::Done)
}

fn pipeline_args(args: &GraphArgs) -> PipelineArgs {
    PipelineArgs {
        file: args.file.clone(),
        stages: args.stages.clone(),
        reading: args.reading.clone(),
        ..PipelineArgs::default()
    }
}

fn states(plan: &Plan) -> BTreeMap<usize, State> {
    let state = |verdict: &Verdict| match verdict {
        Verdict::Fresh => State::Fresh,
        Verdict::Stale(_) => State::Stale,
        Verdict::Blocked(_) => State::Blocked,
    };
    plan.stages
        .iter()
        .map(|p| (p.stage, state(&p.verdict)))
        .collect()
}

/// Whether a text is a graph in one of the forms, and nothing beside it.
fn is_graph(text: &str) -> bool {
    let fence = "```";
    let bare = match text.strip_prefix(fence) {
        Some(fenced) if text.matches(fence).count() == 2 && text.trim_end().ends_with(fence) => {
            fenced.strip_prefix("mermaid\n").unwrap_or_default()
        }
        Some(_) => return false,
        None => text,
    };
    let begins = ["digraph ", "flowchart ", "<svg "];
    begins.iter().any(|begin| bare.starts_with(begin))
}

/// The form that a file's ending asks for.
fn format_of(output: Option<&Path>) -> GraphFormat {
    if ends_in(output, &["svg"]) {
        GraphFormat::Svg
    } else if ends_in(output, &["md", "mmd"]) {
        GraphFormat::Mermaid
    } else {
        GraphFormat::Dot
    }
}

fn ends_in(file: Option<&Path>, endings: &[&str]) -> bool {
    let ending = file.and_then(Path::extension);
    ending.is_some_and(|e| endings.iter().any(|known| e.eq_ignore_ascii_case(known)))
}
