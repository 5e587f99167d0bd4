//! What types cannot say: references of the right kind, scales that fit, numbers in range, no cycles.
//! Unaware of files: whether an image or a checkpoint exists is not asked here.

use crate::around::Around;
use crate::backbones::Architecture;
use crate::error::{Problem, Problems};
use crate::kinds::{Kind, Network};
use crate::names::Of;
use crate::pipeline::Typed;

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
        for (at, stage) in stages.iter().enumerate() {
            let checker = Checker {
                at,
                stage,
                all: stages,
                networks: &networks,
            };
            checker.check(&mut problems);
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
            if input.accepts.takes(&target.kind) {
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

/// A stage that is checked, among the others.
pub(crate) struct Checker<'a> {
    at: usize,
    pub stage: &'a Typed,
    all: &'a [Typed],
    networks: &'a [Option<usize>],
}

impl Checker<'_> {
    /// The stage among the others.
    pub fn around(&self) -> Around<'_> {
        Around::new(&self.all, self.at)
    }

    /// The network of a stage that has one.
    pub fn network(&self, at: usize) -> Option<&Architecture> {
        match self.kind(self.networks[at]?).network() {
            Network::Own(architecture) => Some(architecture),
            Network::Of(_) | Network::None => None,
        }
    }

    /// The kind of another stage.
    pub fn kind(&self, at: usize) -> &Kind {
        &self.all[at].stage.kind
    }

    /// The name of another stage.
    pub fn name(&self, at: usize) -> &str {
        &self.all[at].stage.name
    }

    fn check(&self, problems: &mut Problems) {
        self.stage.stage.kind.check(self, problems);
        self.resources(problems);
    }

    /// A problem with the field at `path`, where something does not hold.
    pub fn need(
        &self,
        ok: bool,
        path: &str,
        message: impl FnOnce() -> String,
        problems: &mut Problems,
    ) {
        if !ok {
            problems.push(self.stage.problem_if(!problems.is_full(), path, message));
        }
    }

    fn resources(&self, problems: &mut Problems) {
        for (field, wrong) in self.stage.stage.resources.wrong() {
            let body = self.stage.draft.body();
            let node = body.get("resources").map(|n| n.nearest(field));
            let pos = node.map_or(self.stage.draft.pos(), |n| n.pos);
            let path = format!("stages.{}.resources.{field}", self.stage.stage.base);
            let hint = "leave it out where there is to be no limit of its own";
            problems.push(Problem::new(pos, path, wrong).hint(hint));
        }
    }

    /// What is out of range in a backbone.
    pub fn architecture(&self, backbone: &Architecture, problems: &mut Problems) {
        let name = backbone.name();
        for (field, message) in backbone.wrong() {
            let path = format!("backbone.{name}.{field}");
            problems.push(self.stage.problem(&path, message));
        }
    }

    /// The stage that fills `role`.
    pub fn input_index(&self, role: &str) -> Option<usize> {
        self.stage.stage.input(role)
    }

    /// The same, itself.
    pub fn input(&self, role: &str) -> Option<&Typed> {
        self.input_index(role).map(|i| &self.all[i])
    }

    /// How many masks an image has that a field gives.
    pub fn mask_count(&self, role: &str) -> Option<usize> {
        self.mask_count_of(self.at, role)
    }

    /// The same of another stage's field.
    pub fn mask_count_of(&self, at: usize, role: &str) -> Option<usize> {
        match self.kind(self.all[at].stage.input(role)?) {
            Kind::Mask(mask) => Some(mask.count()),
            _ => None,
        }
    }

    /// The images of a field are for a network of this scale.
    pub fn images_fit(&self, role: &str, scale: u32, problems: &mut Problems) {
        let Some(Kind::Prepare(prepare)) = self.input(role).map(|s| &s.stage.kind) else {
            return;
        };
        let found = prepare.degrade.scale();
        self.need(
            found == scale,
            role,
            || format!("these images are for scale {found}, the backbone for scale {scale}"),
            problems,
        );
    }

    /// The masks of a field are there if they are wanted, and belong to the images of another field.
    pub fn masks_fit(&self, role: &str, images: &str, wanted: bool, problems: &mut Problems) {
        let given = self.input(role);
        if wanted != given.is_some() {
            let message = if wanted {
                format!("SPT units need the masks of `{images}`: add `masks: …`")
            } else {
                "masks are given, but the model has no SPT units".into()
            };
            problems.push(self.stage.problem(role, message));
        }
        let fit = given.is_none_or(|m| m.stage.input("images") == self.input_index(images));
        self.need(
            fit,
            role,
            || format!("these masks belong to other images than `{images}`"),
            problems,
        );
        let of_lq =
            given.is_none_or(|m| !matches!(&m.stage.kind, Kind::Mask(mask) if mask.of == Of::Hr));
        self.need(
            of_lq,
            role,
            || "these are masks of HR images (`of: hr`); a network gets those of LQ images".into(),
            problems,
        );
    }
}
