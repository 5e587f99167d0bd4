//! `pipeline data check`: which data sets, weights and other files a pipeline file needs, and which are there.
//! Unaware of what stages do with them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use diagnostics::shown::counted;
use spec::Kind;

use super::args::{DataArgs, DataCommand};
use super::{Exit, Fatal, open, print_lines};
use engine::session::{Access, Session};
use plan::{DatasetState, Plan, states, tidy};

/// Does what `pipeline data` is asked for.
pub fn data(args: &DataArgs) -> Result<Exit, Fatal> {
    let DataCommand::Check(args) = &args.command;
    let session = open(args, Access::Read)?;
    let plan = session.plan();
    let states = states_of(&session, &plan);
    let others = others(&session, &plan);
    let text: String = states.iter().map(line).collect();
    let files: String = others.iter().map(file_line).collect();
    let notices = notices(&states).into_iter();
    let notices: Vec<String> = notices.map(|notice| format!("\n{notice}\n")).collect();
    print_lines(&(text + &files + &notices.concat()));
    let whole = states.iter().all(|s| s.images.is_some()) && others.values().all(Result::is_ok);
    Ok(if whole { Exit::Done } else { Exit::Failed })
}

/// The data sets of the planned stages.
pub fn states_of(session: &Session, plan: &Plan) -> Vec<DatasetState> {
    states(kinds(session, plan), session.outside())
}

/// One message for each data set that is missing, and one for each that has not the published number of images.
pub fn notices(states: &[DatasetState]) -> Vec<String> {
    let odd = |state: &DatasetState| state.odd().map(|text| format!("warning: {text}"));
    let notice = |state: &DatasetState| state.absent().or_else(|| odd(state));
    states.iter().filter_map(notice).collect()
}

fn kinds<'s>(session: &'s Session, plan: &Plan) -> impl Iterator<Item = &'s Kind> {
    let stages = plan.stages.iter();
    stages.map(|planned| &session.pipeline.stages[planned.stage].kind)
}

fn line(state: &DatasetState) -> String {
    let facts = state.dataset.facts();
    let (mark, count) = match state.images {
        None => ("missing", format!("0 of {}", facts.images)),
        Some(n) if n == facts.images => ("ok", n.to_string()),
        Some(n) => ("odd", format!("{n}, expected {}", facts.images)),
    };
    let root = tidy(&state.root);
    let root = root.display();
    let mut text = format!(
        "{mark:<7}  {:<12}  {count} images below {root}",
        facts.title
    );
    let mut made = Vec::new();
    for (scale, found) in &state.lr {
        match found {
            Some(n) => text += &format!("; ×{scale}: {n} LR images"),
            None => made.push(format!("×{scale}")),
        }
    }
    if !made.is_empty() {
        text += &format!("; LR will be made ({})", made.join(", "));
    }
    text + "\n"
}

/// What is read beside data sets: the path, and why it cannot be read.
fn others(session: &Session, plan: &Plan) -> BTreeMap<PathBuf, Result<usize, String>> {
    let mut found = BTreeMap::new();
    for planned in &plan.stages {
        let stage = &session.pipeline.stages[planned.stage];
        if matches!(&stage.kind, Kind::Prepare(prepare) if !prepare.dataset.0.is_empty()) {
            continue;
        }
        for external in &stage.external {
            let at = (external.listing.clone(), external.path.clone());
            if let Some(files) = session.outside().get(&at) {
                found.insert(at.1, files.as_ref().map(Vec::len).map_err(Clone::clone));
            }
        }
    }
    found
}

fn file_line((path, found): (&PathBuf, &Result<usize, String>)) -> String {
    let path = &tidy(path);
    match found {
        Ok(n) if path.is_dir() => {
            format!("ok       {} in {}\n", counted(*n, "file"), path.display())
        }
        Ok(_) => format!("ok       {}\n", path.display()),
        Err(why) => format!("missing  {why}\n"),
    }
}
