//! How the inputs of a command will come into its folder, before it runs: copied, mounted or linked.
//! Unaware of placing them: `run::placing` does that by the same sizes.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use plan::Plan;
use spec::Kind;
use spec::kinds::{Command, Placing, Sandbox};

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
    let large = placing::too_large(sizes);
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

/// The sizes of what `files:` names in the project.
fn files(session: &Session, command: &Command, at: usize) -> Vec<(String, u64)> {
    let places = &session.pipeline.stages[at].places.files;
    let inside = command
        .files
        .iter()
        .zip(places)
        .filter(|(_, place)| place.is_some());
    let size = |(path, _): (&PathBuf, _)| Some((path.display().to_string(), placing::size(path)?));
    inside.filter_map(size).collect()
}

/// The sizes of outputs of stages that are there.
fn outputs(session: &Session, plan: &Plan, at: usize) -> Vec<(String, u64)> {
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for edge in &session.pipeline.stages[at].inputs {
        let key = plan.get(edge.stage).and_then(|planned| planned.key);
        let record = key.and_then(|key| session.store.record(&key).ok().flatten());
        let own = &session.pipeline.stages[edge.stage].places.outputs;
        let role = edge.role.strip_prefix("stages.").unwrap_or(&edge.role);
        for file in record.into_iter().flat_map(|record| record.outputs) {
            let path = Path::new(&file.path);
            let output = own.iter().find(|output| path.starts_with(output));
            let first = || path.components().next().map(Component::as_os_str);
            let name = output.map_or_else(first, |output| output.file_name());
            let name = format!("{role}/{}", name.unwrap_or_default().display());
            *sizes.entry(name).or_default() += placing::counted(file.size);
        }
    }
    sizes.into_iter().collect()
}
