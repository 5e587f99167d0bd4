//! What types cannot say: references of the right kind, scales that fit, numbers in range, no cycles.
//! Unaware of files: whether an image or a checkpoint exists is not asked here.

use crate::around::Around;
use crate::checker::Checker;
use crate::error::{Problem, Problems};
use crate::kinds::{Network, Runs};
use crate::typed::Typed;

/// All problems of the typed stages; empty when the pipeline can be planned.
pub(crate) fn check(stages: &[Typed]) -> Problems {
    let mut problems = Problems::default();
    for stage in stages {
        references(stage, stages, &mut problems);
    }
    if problems.is_empty() {
        problems.extend(cycle(stages));
    }
    if problems.is_empty() {
        let networks = networks(stages);
        for (at, typed) in stages.iter().enumerate() {
            let report = |path: &str, message: String| typed.problem(path, message);
            let checker = Checker {
                around: Around::new(&stages, at),
                networks: &networks,
                report: &report,
            };
            typed.stage.kind.check(&checker, &mut problems);
            resources(typed, &mut problems);
        }
    }
    problems
}

/// Each reference points at a stage of the kind that is expected there.
fn references(stage: &Typed, all: &[Typed], problems: &mut Problems) {
    // Edges stand in the order of the references that they come from.
    let mut edges = stage.stage.inputs.iter().peekable();
    for input in &stage.refs {
        while let Some(edge) = edges.next_if(|e| input.fills(&e.role)) {
            let target = &all[edge.stage].stage;
            if input.accepts.takes(target.kind.serves_as()) {
                continue;
            }
            let message = || {
                let (name, kind) = (&target.name, target.kind.name());
                let expected = input.accepts.expected();
                format!("`{name}` is a `{kind}` stage, expected {expected}")
            };
            problems.push(stage.problem_if(!problems.is_full(), &input.path, message));
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// A stage that reads itself, directly or through others. The stages on the way are a stack here: a chain may be as long
/// as the file.
fn cycle(stages: &[Typed]) -> Option<Problem> {
    let mut marks = vec![Mark::New; stages.len()];
    for start in 0..stages.len() {
        // Each stage on the way, and how many of its inputs were followed.
        let mut way = vec![(start, 0)];
        while let Some((at, followed)) = way.last_mut() {
            let (at, n) = (*at, *followed);
            if n == 0 && marks[at] == Mark::Done {
                way.pop();
                continue;
            }
            marks[at] = Mark::Open;
            let Some(edge) = stages[at].stage.inputs.get(n) else {
                marks[at] = Mark::Done;
                way.pop();
                continue;
            };
            *followed += 1;
            match marks[edge.stage] {
                Mark::New => way.push((edge.stage, 0)),
                Mark::Done => {}
                Mark::Open => return Some(describe_cycle(edge.stage, stages, &way)),
            }
        }
    }
    None
}

/// So many stages of a cycle are named, from its beginning and from its end.
const NAMED: usize = 8;

fn describe_cycle(at: usize, stages: &[Typed], way: &[(usize, usize)]) -> Problem {
    let start = way.iter().position(|&(p, _)| p == at).unwrap_or(0);
    let all = &way[start..];
    let name = |&(i, _): &(usize, usize)| stages[i].stage.name.clone();
    let mut names: Vec<String> = all.iter().take(NAMED).map(name).collect();
    if all.len() > 2 * NAMED {
        names.push(format!("… ({} more) …", all.len() - 2 * NAMED));
    }
    names.extend(
        all[NAMED.max(all.len().saturating_sub(NAMED)).min(all.len())..]
            .iter()
            .map(name),
    );
    names.push(stages[at].stage.name.clone());
    let message = format!("dependency cycle: {}", names.join(" → "));
    let path = format!("stages.{}", stages[at].stage.base);
    Problem::new(stages[at].draft.pos(), path, message)
        .hint("a stage can only read stages that do not read it")
}

/// For each stage the one that says which network it has: itself, or what it tunes, followed to the end.
fn networks(stages: &[Typed]) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = vec![None; stages.len()];
    for start in 0..stages.len() {
        let mut way = vec![start];
        let mut end = None;
        while let Some(&at) = way.last() {
            if found[at].is_some() {
                end = found[at];
                break;
            }
            match stages[at].stage.kind.network() {
                Network::Own(_) => end = Some(at),
                Network::Of(role) => {
                    if let Some(next) = stages[at].stage.input(role) {
                        way.push(next);
                        continue;
                    }
                }
                Network::None => {}
            }
            break;
        }
        for at in way {
            found[at] = end;
        }
    }
    found
}

/// What cannot be asked of any machine.
fn resources(typed: &Typed, problems: &mut Problems) {
    for (field, wrong) in typed.stage.resources.wrong() {
        let body = typed.draft.body();
        let node = body.get("resources").map(|n| n.nearest(field));
        let pos = node.map_or(typed.draft.pos(), |n| n.pos);
        let path = format!("stages.{}.resources.{field}", typed.stage.base);
        let hint = match field {
            "timeout" | "memory" => "leave it out where there is to be no limit of its own",
            "retries" => "leave it out where a stage that fails is not to be tried again",
            _ => "leave it out where the default will do",
        };
        problems.push(Problem::new(pos, path, wrong).hint(hint));
    }
    one_gpu(typed, problems);
}

/// A worker computes on the first GPU that it gets; more would be kept from other stages for nothing.
fn one_gpu(typed: &Typed, problems: &mut Problems) {
    let kind = &typed.stage.kind;
    let many = typed.stage.resources.gpus.filter(|&gpus| gpus > 1);
    let (Some(gpus), Runs::Worker(_)) = (many, kind.runs()) else {
        return;
    };
    let body = typed.draft.body();
    let node = body.get("resources").map(|n| n.nearest("gpus"));
    let pos = node.map_or(typed.draft.pos(), |n| n.pos);
    let path = format!("stages.{}.resources.gpus", typed.stage.base);
    let text = format!(
        "a `{}` stage computes on one GPU, found {gpus}",
        kind.name()
    );
    let hint = "leave it out: stages are spread over the GPUs; only a `command` can use several";
    problems.push(Problem::new(pos, path, text).hint(hint));
}
