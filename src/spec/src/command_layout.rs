//! Where the files and outputs of `command` stages lie below the project folder, and that no two of them collide.
//! Unaware of the file system: paths are compared by their text, `.` and `..` resolved.
//!
//! The project folder is the one that holds `cache/` and `reports/`. A command runs in a folder that mirrors it, so that
//! each declared path means the same there as beside the pipeline file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use diagnostics::{Diagnostic, Diagnostics};
use files::Pattern;

use crate::kinds::{self, Kind};
use crate::limits::Limits;
use crate::misplaced::{READ_A_STAGE, problem};
use crate::normal::normal;
use crate::overlaps;
use crate::places::Places;
use crate::stage::{Pipeline, Stage};

/// Folders of the project that belong to the program.
pub const OURS: [&str; 2] = [CACHE, "reports"];

/// The one that no command sees.
const CACHE: &str = "cache";

impl Pipeline {
    /// Finds the places of all commands. `root` is the project folder and `here` the folder that relative paths of
    /// outside files start from, both absolute.
    ///
    /// Refuses outputs that lie outside the project, in another output, in an input, or around one.
    pub fn lay_out(&mut self, root: &Path, here: &Path) -> Result<(), Diagnostics> {
        let mut problems = Vec::new();
        for stage in &mut self.stages {
            if let Kind::Command(command) = &stage.kind {
                match places(stage, command, root, here) {
                    Ok(places) => stage.places = places,
                    Err(mut found) => problems.append(&mut found),
                }
            }
        }
        if problems.is_empty() && self.stages.iter().any(|s| !s.places.outputs.is_empty()) {
            problems = collisions(&self.stages, root, here);
        }
        if problems.is_empty() {
            Ok(())
        } else {
            let more = problems.len().saturating_sub(Limits::PROBLEMS);
            problems.truncate(Limits::PROBLEMS);
            Err(Diagnostics {
                first: problems,
                more,
            })
        }
    }
}

type Found = Vec<Diagnostic>;

fn places(
    stage: &Stage,
    command: &kinds::Command,
    root: &Path,
    here: &Path,
) -> Result<Places, Found> {
    let mut problems = Vec::new();
    let folder = normal(&here.join(&stage.folder));
    let Ok(home) = folder.strip_prefix(root) else {
        let message = format!(
            "the file of a command lies inside the project folder, and `{}` is outside `{}`",
            folder.display(),
            root.display()
        );
        let hint = format!(
            "`--root` names a folder above the pipeline file, such as `--root {}`",
            folder.display()
        );
        return Err(vec![problem(stage, "files", message, &hint)]);
    };
    let mut files = Vec::new();
    for path in &command.files {
        let full = normal(&here.join(path));
        let inside = full.strip_prefix(root).ok().map(Path::to_owned);
        if inside.is_none() && path.components().any(|c| c == Component::ParentDir) {
            let message = format!("`{}` is outside the project folder", full.display());
            problems.push(problem(
                stage,
                "files",
                message,
                "name it by its absolute path",
            ));
        }
        if inside.as_ref().is_some_and(|path| path.starts_with(CACHE)) {
            let message = format!(
                "`{}` is the cache, or lies in it: no command sees it",
                full.display()
            );
            problems.push(problem(stage, "files", message, READ_A_STAGE));
        }
        files.push(inside);
    }
    let (mut outputs, mut patterns) = (Vec::new(), BTreeMap::new());
    for path in &command.outputs {
        match output(&folder, path, root) {
            Ok(inside) => {
                // Checks have refused what cannot be followed.
                if let Ok(Some(pattern)) = Pattern::parse(path) {
                    let folder = pattern.folder_of(&inside, path);
                    patterns.insert(outputs.len(), pattern.below(folder));
                }
                outputs.push(inside);
            }
            Err(message) => problems.push(problem(
                stage,
                "outputs",
                message,
                "name a file or folder inside the project, such as results/x.csv",
            )),
        }
    }
    let home = home.to_owned();
    if problems.is_empty() {
        Ok(Places {
            home,
            files,
            outputs,
            patterns,
        })
    } else {
        Err(problems)
    }
}

fn output(folder: &Path, path: &Path, root: &Path) -> Result<PathBuf, String> {
    let full = normal(&folder.join(path));
    let shown = path.display();
    if path.is_absolute() {
        return Err(format!("the output `{shown}` is an absolute path"));
    }
    let inside = full
        .strip_prefix(root)
        .map_err(|_| format!("the output `{shown}` is outside the project folder"))?;
    if inside.as_os_str().is_empty() || folder.starts_with(&full) {
        return Err(format!(
            "the output `{shown}` is a folder that holds the pipeline file"
        ));
    }
    if OURS.iter().any(|ours| inside.starts_with(ours)) {
        return Err(format!(
            "the output `{shown}` lies in a folder of pipeline's own"
        ));
    }
    Ok(inside.to_owned())
}

/// Outputs that lie in or around each other, or in or around an input.
fn collisions(stages: &[Stage], root: &Path, here: &Path) -> Found {
    let mut problems = Vec::new();
    let mut outputs = Outputs::default();
    for stage in stages {
        for (at, path) in stage.places.outputs.iter().enumerate() {
            if stage.places.patterns.contains_key(&at) {
                continue; // `overlaps` looks at these
            }
            if let Some((_, other)) = outputs.at.insert(path.as_os_str(), (path, stage)) {
                problems.push(both(stage, path, other, path));
            }
        }
    }
    for &(path, stage) in outputs.at.values() {
        for folder in path.ancestors().skip(1) {
            if let Some((outer, other)) = outputs.at.get(folder.as_os_str()) {
                problems.push(both(stage, path, other, outer));
                break;
            }
            outputs.below.insert(folder.as_os_str(), (path, stage));
        }
    }
    for stage in stages {
        for input in &stage.external {
            let full = normal(&here.join(&input.path));
            let Ok(input) = full.strip_prefix(root) else {
                continue;
            };
            problems.extend(with_input(&outputs, stage, input));
        }
    }
    problems.extend(overlaps::found(stages, root, here));
    problems
}

/// Outputs by their paths as text, which is compared much faster than paths are.
#[derive(Default)]
struct Outputs<'a> {
    at: BTreeMap<&'a OsStr, (&'a Path, &'a Stage)>,
    /// An output somewhere below each folder that holds any.
    below: BTreeMap<&'a OsStr, (&'a Path, &'a Stage)>,
}

fn both(stage: &Stage, path: &Path, other: &Stage, outer: &Path) -> Diagnostic {
    let message = if path == outer {
        format!(
            "`{}` is an output of both `{}` and `{}`",
            path.display(),
            other.name,
            stage.name
        )
    } else {
        format!(
            "the output `{}` lies in the output `{}` of `{}`",
            path.display(),
            outer.display(),
            other.name
        )
    };
    problem(
        stage,
        "outputs",
        message,
        "give each stage outputs of its own",
    )
}

fn with_input(outputs: &Outputs<'_>, stage: &Stage, input: &Path) -> Option<Diagnostic> {
    let around = input
        .ancestors()
        .find_map(|p| outputs.at.get(p.as_os_str()));
    let inside = || outputs.below.get(input.as_os_str());
    let &(path, maker) = around.or_else(inside)?;
    let message = if path == input {
        format!(
            "the input `{}` is an output of `{}`",
            input.display(),
            maker.name
        )
    } else if input.starts_with(path) {
        format!(
            "the input `{}` lies in the output `{}` of `{}`",
            input.display(),
            path.display(),
            maker.name
        )
    } else {
        format!(
            "the output `{}` of `{}` lies in the input `{}`",
            path.display(),
            maker.name,
            shown(input)
        )
    };
    Some(problem(stage, "", message, READ_A_STAGE))
}

/// A path below the project folder, which itself is `.`.
fn shown(path: &Path) -> std::path::Display<'_> {
    let is_root = path.as_os_str().is_empty();
    if is_root { Path::new(".") } else { path }.display()
}
