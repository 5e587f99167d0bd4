//! How the inputs of a command will come into its folder, before it runs: copied, mounted or linked.
//! Unaware of placing them: `run::placing` does that by the same sizes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plan::Plan;
use spec::kinds::{Command, Placing, Sandbox};
use spec::{Kind, Listing};

use crate::run::placing;
use crate::session::Session;

/// In words, for a command that reads anything; inputs that are not there yet are left out.
pub fn how_placed(session: &Session, plan: &Plan, at: usize) -> Option<String> {
    let Kind::Command(command) = &session.pipeline.stages[at].kind else {
        return None;
    };
    let mut sizes = files(session, command, at);
    sizes.extend(outputs(session, plan, at));
    if sizes.is_empty() {
        return None;
    }
    if command.inputs == Placing::Link {
        return Some("inputs are linked".into());
    }
    let mut large = placing::too_large(sizes);
    large.sort();
    large.dedup();
    if large.is_empty() {
        return Some("inputs are copied".into());
    }
    let has_walls = command.sandbox == Sandbox::Auto && session.walls.level().has_mounts();
    let names: Vec<String> = large.iter().map(|name| format!("`{name}`")).collect();
    let how = if has_walls {
        "mounted to be read"
    } else {
        "linked"
    };
    let (are, its) = if large.len() == 1 {
        ("is", "its")
    } else {
        ("are", "their")
    };
    let names = names.join(", ");
    Some(format!(
        "{names} {are} {how}, for {its} size; other inputs are copied"
    ))
}

/// The sizes of what `files:` names in the project, each under the path that stands for it.
fn files(session: &Session, command: &Command, at: usize) -> Vec<(String, u64)> {
    let stage = &session.pipeline.stages[at];
    let mut all = Vec::new();
    for (n, path) in command.files.iter().enumerate() {
        let is_inside = matches!(stage.places.files.get(n), Some(Some(_)));
        if let (true, Listing::All(selection)) = (is_inside, &stage.external[n].listing) {
            let sizes = placing::sizes(selection, path).into_iter();
            all.extend(sizes.map(|size| (path.display().to_string(), size)));
        }
    }
    all
}

/// The sizes of outputs of stages that are there.
fn outputs(session: &Session, plan: &Plan, at: usize) -> Vec<(String, u64)> {
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for edge in &session.pipeline.stages[at].inputs {
        let key = plan.get(edge.stage).and_then(|planned| planned.key);
        let record = key.and_then(|key| session.store.record(&key).ok().flatten());
        let own = &session.pipeline.stages[edge.stage].places;
        let role = edge.role.strip_prefix("stages.").unwrap_or(&edge.role);
        for file in record.into_iter().flat_map(|record| record.outputs) {
            let path = Path::new(&file.path);
            let first = || {
                path.components()
                    .next()
                    .map(|name| PathBuf::from(name.as_os_str()))
            };
            let name = own.read_as(path).map(|(_, name)| name).or_else(first);
            let name = format!("{role}/{}", name.unwrap_or_default().display());
            *sizes.entry(name).or_default() += placing::counted(file.size);
        }
    }
    sizes.into_iter().collect()
}
