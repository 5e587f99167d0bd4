//! Outputs and inputs of commands that are patterns, where they may fit what another stage makes.
//! Unaware of the file system: what two patterns may both fit is told from their texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diagnostics::Diagnostic;
use files::Pattern;

use crate::kinds::{External, Listing, Selection};
use crate::misplaced::{READ_A_STAGE, problem};
use crate::normal::normal;
use crate::stage::Stage;

/// An output or an input, in the project.
#[derive(Clone, Copy)]
struct Claim<'a> {
    path: &'a Path,
    pattern: Option<&'a Pattern>,
    stage: &'a Stage,
    order: usize,
}

/// Claims by the folder that a pattern begins in, or by the path itself. Two may touch only where one of these lies in the
/// other or is the same.
type Claims<'a> = BTreeMap<&'a Path, Vec<Claim<'a>>>;

/// Each output that may be another one's, and each input that may be an output, where a pattern is one of the two.
pub(crate) fn found(stages: &[Stage], root: &Path, here: &Path) -> Vec<Diagnostic> {
    let inputs = inputs(stages, root, here);
    let has_patterns = stages.iter().any(|stage| !stage.places.patterns.is_empty());
    if !has_patterns && inputs.iter().all(|(_, _, pattern)| pattern.is_none()) {
        return Vec::new();
    }
    let claims = outputs(stages);
    let mut problems = Vec::new();
    for claim in claims
        .values()
        .flatten()
        .filter(|claim| claim.pattern.is_some())
    {
        let is_before = |other: &&Claim<'_>| other.order < claim.order || other.pattern.is_none();
        let touching = near(&claims, claim.key()).filter(is_before);
        let mut touching = touching.filter(|other| claim.touches(other));
        if let Some(other) = touching.next() {
            problems.push(both(claim, other));
        }
    }
    for (stage, path, pattern) in &inputs {
        let claim = Claim {
            path,
            pattern: pattern.as_ref(),
            stage,
            order: 0,
        };
        let is_new = |other: &&Claim<'_>| claim.pattern.is_some() || other.pattern.is_some();
        let is_taken = |output: &&Claim<'_>| match (claim.pattern, output.pattern) {
            // Whether a path is a folder, in which an output may come to lie, is not known here.
            (None, Some(pattern)) => pattern.holds(path) || pattern.fixed().starts_with(path),
            _ => claim.touches(output),
        };
        if let Some(output) = near(&claims, claim.key()).filter(is_new).find(is_taken) {
            problems.push(taken(&claim, output));
        }
    }
    problems
}

impl Claim<'_> {
    fn key(&self) -> &Path {
        self.pattern.map_or(self.path, Pattern::fixed)
    }

    fn touches(&self, other: &Self) -> bool {
        match (self.pattern, other.pattern) {
            (Some(one), Some(other)) => one.touches(other),
            (Some(pattern), None) => pattern.touches_path(other.path),
            (None, Some(pattern)) => pattern.touches_path(self.path),
            (None, None) => false,
        }
    }
}

fn outputs(stages: &[Stage]) -> Claims<'_> {
    let mut claims = Claims::new();
    let all = stages.iter().flat_map(|stage| {
        let outputs = stage.places.outputs.iter().enumerate();
        outputs.map(move |(at, path)| (stage, path, stage.places.patterns.get(&at)))
    });
    for (order, (stage, path, pattern)) in all.enumerate() {
        let claim = Claim {
            path,
            pattern,
            stage,
            order,
        };
        let key = pattern.map_or(path.as_path(), Pattern::fixed);
        claims.entry(key).or_default().push(claim);
    }
    claims
}

/// The inputs in the project, with their patterns.
fn inputs<'a>(
    stages: &'a [Stage],
    root: &Path,
    here: &Path,
) -> Vec<(&'a Stage, PathBuf, Option<Pattern>)> {
    let mut inputs = Vec::new();
    for stage in stages {
        for input in &stage.external {
            let full = normal(&here.join(&input.path));
            if let Ok(inside) = full.strip_prefix(root) {
                inputs.push((stage, inside.to_path_buf(), pattern(input, inside)));
            }
        }
    }
    inputs
}

/// The pattern that an input is, below its folder in the project.
fn pattern(input: &External, inside: &Path) -> Option<Pattern> {
    let Listing::All(Selection { written, .. }) = &input.listing else {
        return None;
    };
    let pattern = Pattern::parse(written).ok().flatten()?;
    let folder = pattern.folder_of(inside, written);
    Some(pattern.below(folder))
}

/// What is claimed in `folder`, and in folders around it.
fn near<'c, 'a>(claims: &'c Claims<'a>, folder: &'c Path) -> impl Iterator<Item = &'c Claim<'a>> {
    let around = folder.ancestors().skip(1).filter_map(|at| claims.get(at));
    // Paths are in order of their names, so what lies in a folder stands behind it in a row.
    let inside = claims
        .range(folder..)
        .take_while(move |(at, _)| at.starts_with(folder));
    around.chain(inside.map(|(_, claims)| claims)).flatten()
}

fn both(claim: &Claim<'_>, other: &Claim<'_>) -> Diagnostic {
    let message = format!(
        "the output `{}` of `{}` may fit the output `{}` of `{}`, or lie in it or around it",
        claim.path.display(),
        claim.stage.name,
        other.path.display(),
        other.stage.name
    );
    let hint = "give each stage outputs of its own, such as a folder for each";
    problem(claim.stage, "outputs", message, hint)
}

fn taken(input: &Claim<'_>, output: &Claim<'_>) -> Diagnostic {
    let message = format!(
        "the input `{}` may be or hold the output `{}` of `{}`, or lie in it",
        input.path.display(),
        output.path.display(),
        output.stage.name
    );
    problem(input.stage, "", message, READ_A_STAGE)
}
