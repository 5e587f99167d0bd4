//! What types cannot say: references of the right kind, scales that fit, numbers in range, no cycles.
//! Unaware of files: whether an image or a checkpoint exists is not asked here.

mod report;

use std::collections::BTreeSet;

use crate::around::Around;
use crate::backbones::Architecture;
use crate::error::{Problem, Problems};
use crate::kinds::{
    Command, Degrade, Evaluate, Kind, Mask, Prepare, Resources, Schedule, Segmenter, Train, Tune,
};
use crate::names::{Of, Scheme, Weights};
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

/// So many stages of a circle are named, from its beginning and from its end.
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
    let message = format!("the stages go round in a circle: {}", names.join(" → "));
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
            match &stages[at].stage.kind {
                _ if found[at].is_some() => end = found[at],
                Kind::Pretrained(_) | Kind::Train(_) => end = Some(at),
                Kind::Tune(_) => {
                    if let Some(next) = stages[at].stage.input("backbone") {
                        way.push(next);
                        continue;
                    }
                }
                _ => {}
            }
            break;
        }
        for at in way {
            found[at] = end;
        }
    }
    found
}

struct Checker<'a> {
    at: usize,
    stage: &'a Typed,
    all: &'a [Typed],
    networks: &'a [Option<usize>],
}

impl Checker<'_> {
    /// The stage among the others.
    fn around(&self) -> Around<'_> {
        Around::new(&self.all, self.at)
    }

    /// The network of a stage that has one.
    fn network(&self, at: usize) -> Option<&Architecture> {
        self.all[self.networks[at]?].stage.kind.architecture()
    }

    fn check(&self, problems: &mut Problems) {
        match &self.stage.stage.kind {
            Kind::Prepare(prepare) => self.prepare(prepare, problems),
            Kind::Mask(mask) => self.mask(mask, problems),
            Kind::Pretrained(pretrained) => {
                self.architecture(&pretrained.backbone, problems);
                let entry = pretrained.entry.as_deref();
                self.need(
                    entry.is_none_or(|e| e.split('.').all(|part| !part.trim().is_empty())),
                    "entry",
                    || "expected the name of an entry, as in `params` or `state_dict.net_g`".into(),
                    problems,
                );
            }
            Kind::Train(train) => self.train(train, problems),
            Kind::Tune(tune) => self.tune(tune, problems),
            Kind::Evaluate(evaluate) => self.evaluate(evaluate, problems),
            Kind::Table(table) => self.table(table, problems),
            Kind::Figure(figure) => self.figure(figure, problems),
            Kind::Robustness(_) => self.robustness(problems),
            Kind::Command(command) => self.command(command, problems),
        }
        self.resources(problems);
    }

    fn need(
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

    fn command(&self, command: &Command, problems: &mut Problems) {
        let one = command.run.is_empty() == command.shell.is_some();
        self.need(
            one,
            "run",
            || "give one of `run: [program, argument…]` and `shell: text`".into(),
            problems,
        );
        self.need(
            !command.outputs.is_empty(),
            "outputs",
            || "name at least one file or folder that the command leaves".into(),
            problems,
        );
        let mut names = BTreeSet::new();
        let outputs = command.outputs.iter().filter_map(|path| path.file_name());
        for (at, name) in outputs.enumerate() {
            self.need(
                names.insert(name),
                &format!("outputs.{at}"),
                || format!("two outputs are called `{}`", name.display()),
                problems,
            );
        }
        for name in command.stages.keys() {
            let plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\\']);
            self.need(
                plain,
                &format!("stages.{name}"),
                || format!("`{name}` cannot be the name of a folder"),
                problems,
            );
        }
        let handed = [("pass", &command.pass), ("secrets", &command.secrets)];
        let handed = handed
            .iter()
            .flat_map(|(f, names)| names.iter().map(move |n| (*f, n)));
        for (field, name) in command.env.keys().map(|n| ("env", n)).chain(handed) {
            let good = !name.is_empty() && !name.contains(['=', '\0']);
            let message = || format!("`{name}` cannot be the name of a variable");
            self.need(good, field, message, problems);
        }
        for (at, name) in command.secrets.iter().enumerate() {
            let elsewhere = command.env.contains_key(name) || command.pass.contains(name);
            self.need(
                !elsewhere,
                &format!("secrets.{at}"),
                || format!("`{name}` stands in `env:` or `pass:` as well, which are stored"),
                problems,
            );
        }
        let program = command
            .shell
            .as_ref()
            .is_none_or(|shell| !shell.program.is_empty());
        self.need(program, "shell.program", || "name a shell".into(), problems);
    }

    fn resources(&self, problems: &mut Problems) {
        for (field, wrong) in wrong_resources(&self.stage.stage.resources) {
            let body = self.stage.draft.body();
            let node = body.get("resources").map(|n| n.nearest(field));
            let pos = node.map_or(self.stage.draft.pos(), |n| n.pos);
            let path = format!("stages.{}.resources.{field}", self.stage.stage.base);
            let hint = "leave it out where there is to be no limit of its own";
            problems.push(Problem::new(pos, path, wrong).hint(hint));
        }
    }

    fn prepare(&self, prepare: &Prepare, problems: &mut Problems) {
        self.source(prepare, problems);
        self.lr_names(prepare, problems);
        match prepare.degrade {
            Degrade::Sr(scale) => self.need(
                (2..=4).contains(&scale),
                "degrade.sr",
                || format!("the scale {scale} is not 2, 3 or 4"),
                problems,
            ),
            Degrade::Denoise(sigma) => {
                let good = sigma > 0.0 && sigma <= 255.0;
                self.need(
                    good,
                    "degrade.denoise",
                    || format!("sigma {sigma} is not in (0, 255]"),
                    problems,
                );
                self.need(
                    prepare.lr.is_none() && prepare.lr_if_present.is_none(),
                    "lr",
                    || "existing LR images go with `degrade: {sr: …}`, not with noise".into(),
                    problems,
                );
            }
        }
    }

    /// A template needs a place for the name, and LR images that it names.
    fn lr_names(&self, prepare: &Prepare, problems: &mut Problems) {
        let Some(names) = &prepare.names else {
            return;
        };
        self.need(
            names.matches("{}").count() == 1 && !names.contains('/'),
            "names",
            || format!("`{names}` is no template: write the HR image's name as `{{}}`, once, as in `{{}}x4`"),
            problems,
        );
        self.need(
            prepare.lr.is_some() || prepare.lr_if_present.is_some(),
            "names",
            || "`names` says how the images of `lr` are named: give both".into(),
            problems,
        );
    }

    /// A folder or data sets, and not what belongs to the other.
    fn source(&self, prepare: &Prepare, problems: &mut Problems) {
        let named = !prepare.dataset.0.is_empty();
        self.need(
            named != prepare.images.is_some(),
            "images",
            || "give one of `images: folder` and `dataset: name`".into(),
            problems,
        );
        self.need(
            named == prepare.root.is_some(),
            "root",
            || "`root:` is the folder that holds the data sets of `dataset:`: give both".into(),
            problems,
        );
        let mut seen = BTreeSet::new();
        for (at, dataset) in prepare.dataset.0.iter().enumerate() {
            self.need(
                seen.insert(dataset),
                &format!("dataset.{at}"),
                || format!("the data set `{dataset}` stands twice"),
                problems,
            );
        }
        let own = [
            ("lr", prepare.lr.is_none()),
            ("lr_if_present", prepare.lr_if_present.is_none()),
            ("only", prepare.only.is_empty()),
            ("names", prepare.names.is_none()),
            ("recursive", !prepare.recursive),
        ];
        for (field, absent) in own {
            self.need(
                absent || !named,
                field,
                || format!("`{field}` goes with `images:`; a data set knows its own"),
                problems,
            );
        }
    }

    fn mask(&self, mask: &Mask, problems: &mut Problems) {
        let (grid, count) = (mask.grid(), mask.count());
        self.need(
            (1..=128).contains(&grid),
            "grid",
            || format!("{grid} is not in 1..=128"),
            problems,
        );
        self.need(
            (1..=4096).contains(&count),
            "count",
            || format!("{count} is not in 1..=4096"),
            problems,
        );
        match &mask.segmenter {
            Segmenter::Graph(graph) => {
                let sigma = graph.sigma.unwrap_or(1.0);
                self.need(
                    (0.0..=10.0).contains(&sigma),
                    "segmenter.graph.sigma",
                    || format!("{sigma} is not in 0..=10"),
                    problems,
                );
                let [a, b, c] = graph.k.unwrap_or([1.0, 2.0, 3.0]);
                let rising = a > 0.0 && a < b && b < c && c.is_finite();
                self.need(
                    rising,
                    "segmenter.graph.k",
                    || "three increasing positive numbers".into(),
                    problems,
                );
            }
            Segmenter::Sam(sam) => {
                for (field, expected) in sam.wrong() {
                    let message = format!("expected {expected}");
                    let path = format!("segmenter.sam.{field}");
                    problems.push(self.stage.problem(&path, message));
                }
            }
            Segmenter::Other { .. } => {
                let own = self.stage.stage.input("images");
                let same = self
                    .input("segmenter.other.masks")
                    .is_none_or(|m| m.stage.input("images") == own);
                self.need(
                    same,
                    "segmenter.other.masks",
                    || "these masks belong to other images than `images`".into(),
                    problems,
                );
            }
            Segmenter::Files { .. } | Segmenter::Zero => {}
        }
    }

    fn architecture(&self, backbone: &Architecture, problems: &mut Problems) {
        let name = backbone.name();
        for (field, message) in backbone.wrong() {
            let path = format!("backbone.{name}.{field}");
            problems.push(self.stage.problem(&path, message));
        }
    }

    fn train(&self, train: &Train, problems: &mut Problems) {
        self.architecture(&train.backbone, problems);
        if let Some(from) = self.input_index("from") {
            let other = self.network(from);
            let same = other.is_none_or(|a| *a == train.backbone);
            self.need(
                same,
                "from",
                || "the weights belong to another backbone than `backbone`".into(),
                problems,
            );
        }
        self.images_fit("images", train.backbone.scale(), problems);
        self.schedule(&train.schedule, train.backbone.scale(), false, problems);
    }

    fn tune(&self, tune: &Tune, problems: &mut Problems) {
        let Some(backbone) = self.input_index("backbone").and_then(|i| self.network(i)) else {
            return;
        };
        let spt = tune.scheme == Scheme::Spt;
        self.images_fit("images", backbone.scale(), problems);
        self.masks_fit("masks", "images", spt, problems);
        self.schedule(&tune.schedule, backbone.scale(), spt, problems);
        let alpha = tune.alpha;
        self.need(
            alpha.is_finite(),
            "alpha",
            || format!("{alpha} is not a number"),
            problems,
        );
        let last = tune.locations.unwrap_or(1);
        let blocks = backbone.blocks();
        self.need(
            (1..=blocks).contains(&last),
            "locations",
            || format!("{last} is not in 1..={blocks}, the blocks of this backbone"),
            problems,
        );
    }

    fn schedule(&self, schedule: &Schedule, scale: u32, spt: bool, problems: &mut Problems) {
        let one = schedule.iterations.is_some() != schedule.until.is_some();
        self.need(
            one,
            "iterations",
            || "give one of `iterations` and `until`".into(),
            problems,
        );
        let patch = schedule.patch.unwrap_or(64);
        let [b1, b2] = schedule.betas;
        let betas = (0.0..1.0).contains(&b1) && (0.0..1.0).contains(&b2);
        let positive = [
            ("iterations", schedule.iterations.unwrap_or(1) >= 1),
            ("batch", (1..=4096).contains(&schedule.batch)),
            ("accumulate", (1..=4096).contains(&schedule.accumulate)),
            ("patch", (8..=4096).contains(&patch)),
            ("lr", schedule.lr > 0.0 && schedule.lr.is_finite()),
            ("halve_every", schedule.halve_every >= 1),
            ("betas", betas),
            (
                "validate.every",
                schedule.validate.as_ref().is_none_or(|v| v.every >= 1),
            ),
        ];
        for (path, ok) in positive {
            self.need(ok, path, || "out of range".into(), problems);
        }
        self.validation(schedule, scale, spt, problems);
    }

    fn validation(&self, schedule: &Schedule, scale: u32, spt: bool, problems: &mut Problems) {
        let has = schedule.validate.is_some();
        self.need(
            has || schedule.until.is_none(),
            "until",
            || "convergence is judged on a validation: add `validate: {images: …}`".into(),
            problems,
        );
        self.need(
            has || schedule.weights != Some(Weights::Best),
            "weights",
            || "`best` is judged on a validation: add `validate: {images: …}`".into(),
            problems,
        );
        if !has {
            return;
        }
        self.images_fit("validate.images", scale, problems);
        self.masks_fit("validate.masks", "validate.images", spt, problems);
        let own = self.input_index("images") != self.input_index("validate.images");
        self.need(
            own,
            "validate.images",
            || "these are the images that are trained on".into(),
            problems,
        );
        if let (Some(a), Some(b)) = (self.mask_count("masks"), self.mask_count("validate.masks")) {
            self.need(
                a == b,
                "validate.masks",
                || format!("{b} masks an image, but training has {a}"),
                problems,
            );
        }
    }

    fn evaluate(&self, evaluate: &Evaluate, problems: &mut Problems) {
        let Some(model) = self.input_index("model") else {
            return;
        };
        let Some(backbone) = self.network(model) else {
            return;
        };
        self.images_fit("images", backbone.scale(), problems);
        let spt = matches!(&self.all[model].stage.kind, Kind::Tune(t) if t.scheme == Scheme::Spt);
        self.masks_fit("masks", "images", spt, problems);
        let tuned = self.all[model]
            .stage
            .input("masks")
            .and_then(|m| count_of(&self.all[m]));
        if let (Some(a), Some(b)) = (tuned, self.mask_count("masks")) {
            self.need(
                a == b,
                "masks",
                || format!("{b} masks an image, but the model was tuned with {a}"),
                problems,
            );
        }
        let metrics = !evaluate.metrics.is_empty();
        self.need(
            metrics,
            "metrics",
            || "give at least one of psnr and ssim".into(),
            problems,
        );
    }

    fn input_index(&self, role: &str) -> Option<usize> {
        self.stage.stage.input(role)
    }

    fn input(&self, role: &str) -> Option<&Typed> {
        self.input_index(role).map(|i| &self.all[i])
    }

    fn mask_count(&self, role: &str) -> Option<usize> {
        self.input(role).and_then(count_of)
    }

    fn images_fit(&self, role: &str, scale: u32, problems: &mut Problems) {
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

    fn masks_fit(&self, role: &str, images: &str, wanted: bool, problems: &mut Problems) {
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

fn count_of(stage: &Typed) -> Option<usize> {
    match &stage.stage.kind {
        Kind::Mask(mask) => Some(mask.count()),
        _ => None,
    }
}

/// What cannot be asked of any machine: the field, and what is wrong with it.
fn wrong_resources(resources: &Resources) -> Vec<(&'static str, String)> {
    let Resources {
        threads,
        checkpoint,
        gpus,
        gpu_share,
        retries,
        timeout,
        memory,
    } = resources;
    let mut wrong = Vec::new();
    let mut count = |field, value: &Option<u32>, least: u32, most: u32| {
        if let Some(value) = value.filter(|v| !(least..=most).contains(v)) {
            let text = format!("out of range: {value}, expected a number from {least} to {most}");
            wrong.push((field, text));
        }
    };
    count("threads", threads, 1, Resources::MOST);
    count("gpus", gpus, 0, Resources::MOST);
    count("gpu_share", gpu_share, 1, Resources::MOST);
    count("retries", retries, 0, Resources::MOST_RETRIES);
    let mut amount = |field, value: &Option<f64>, zero: bool, most: f64, unit: &str| {
        let good = |v: &f64| (*v > 0.0 || zero && *v == 0.0) && *v <= most;
        if let Some(value) = value.filter(|v| !good(v)) {
            let above = if zero { "from 0" } else { "above 0" };
            let text = format!("out of range: {value:?}, expected {unit} {above}, at most {most}");
            wrong.push((field, text));
        }
    };
    amount(
        "checkpoint",
        checkpoint,
        true,
        Resources::LONGEST,
        "seconds",
    );
    amount("timeout", timeout, false, Resources::LONGEST, "seconds");
    amount("memory", memory, false, Resources::MOST_MEMORY, "GiB");
    if gpu_share.is_some() && gpus.is_some_and(|n| n != 1) {
        let text = "only a stage that asks for one GPU can share it".to_owned();
        wrong.push(("gpu_share", text));
    }
    wrong
}
