//! What determines a result, as a text of sorted lines; its hash is the key.
//! Unaware of what is stored. Structs are taken apart without `..`, so that a new field that is not here does not
//! compile.

mod sam;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;

use spec::backbones::Architecture;
use spec::kinds::{
    Command, Crop, Degrade, Evaluate, Figure, Graph, Interval, KeyPart, LabelText, Mask, Prepare,
    Pretrained, Robustness, Schedule, Segmenter, Shell, Table, TableValue, Train, Tune, Until,
    Validate,
};
use spec::names::{Of, Precision, Scheme};
use spec::{Kind, Pipeline, Stage, labels};
use store::{Digest, Key};

use super::{Listing, Outside};

pub use sam::start;

/// The version of a kind: bumped by hand whenever the same configuration gives other bytes.
///
/// | kind | history |
/// |---|---|
/// | prepare | 1: first; 2: digests of images in `pairs.json` |
/// | mask | 1: first; 2: digests of images in `masks.json` |
/// | pretrained | 1: first |
/// | train | 1: first |
/// | tune | 1: first |
/// | evaluate | 1: first; 2: `summary.json` says the tiling; 3: large images with channels innermost on the CPU |
/// | table | 1: first; 2: intervals, published values, seeds, warnings |
/// | figure | 1: first |
/// | robustness | 1: first |
/// | command | 1: first |
pub const fn version(kind: &Kind) -> u32 {
    match kind {
        Kind::Pretrained(_)
        | Kind::Train(_)
        | Kind::Tune(_)
        | Kind::Figure(_)
        | Kind::Robustness(_)
        | Kind::Command(_) => 1,
        Kind::Mask(_) | Kind::Prepare(_) | Kind::Table(_) => 2,
        Kind::Evaluate(_) => 3,
    }
}

/// The files a stage of this kind must leave in its output folder. What a command must leave, its executor checks: an
/// output of it may be a folder.
pub const fn outputs(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Prepare(_) => &["pairs.json"],
        Kind::Mask(_) => &["masks.json"],
        Kind::Pretrained(_) => &["weights.safetensors", "model.json"],
        Kind::Train(_) | Kind::Tune(_) => &["weights.safetensors", "model.json", "steps.csv"],
        Kind::Evaluate(_) => &["metrics.csv", "summary.json"],
        Kind::Table(Table { curves: false, .. }) => &[
            "table.txt",
            "table.csv",
            "table.md",
            "table.tex",
            "cells.csv",
        ],
        Kind::Table(_) => &[
            "table.txt",
            "table.csv",
            "table.md",
            "table.tex",
            "cells.csv",
            "curves.svg",
        ],
        Kind::Figure(_) => &["figure.png", "figure.csv", "figure.txt"],
        Kind::Robustness(_) => &[
            "table.txt",
            "table.csv",
            "table.md",
            "table.tex",
            "images.csv",
        ],
        Kind::Command(_) => &[],
    }
}

/// Whether a stage reads the file `name` of the outside path `path` of this role.
pub fn reads(kind: &Kind, role: &str, path: &Path, name: &str) -> bool {
    match kind {
        Kind::Prepare(prepare) => prepare.reads(role, path, name),
        _ => true,
    }
}

/// The manifest of stage `at`: first line `stage <kind> <version>`, then `path<TAB>value` lines in order of path.
pub(super) fn manifest(
    pipeline: &Pipeline,
    at: usize,
    inputs: &[(String, Key)],
    outside: &Outside,
    numerics: &str,
) -> String {
    let stage = &pipeline.stages[at];
    let mut lines = Lines::default();
    lines.kind(&stage.kind, pipeline, at);
    for (role, key) in inputs {
        lines.put(&format!("input.{role}"), key);
    }
    for (n, (field, path)) in stage.kind.outside().into_iter().enumerate() {
        let name = match stage.places.files.get(n) {
            Some(Some(place)) => format!("{field}/{}", place.display()),
            Some(None) => format!("{field}/{}", path.display()),
            None => field.to_owned(),
        };
        let at = (Listing::of(&stage.kind, field), path.into_owned());
        if let Some(Ok(files)) = outside.get(&at) {
            let reads = |file: &str| reads(&stage.kind, field, &at.1, file);
            if lr_scale(&stage.kind, field).is_some_and(|scale| has_twins(files, scale)) {
                lines.put("lr_names", "exact first");
            }
            if at.0.decodes() && files.iter().any(|(file, _)| reads(file) && is_jpeg(file)) {
                lines.put("decoder.jpeg", "libjpeg-turbo");
            }
            lines.outside(&name, files, reads, twin(&stage.kind));
        }
    }
    if stage.kind.uses_torch() {
        lines.put("numerics", numerics);
    }
    let first = format!("stage {} {}\n", stage.kind.name(), version(&stage.kind));
    let size = |(path, value): (&String, &String)| path.len() + value.len() + 2;
    let mut text = String::with_capacity(first.len() + lines.0.iter().map(size).sum::<usize>());
    text += &first;
    for (path, value) in lines.0 {
        for part in [path.as_str(), "\t", &value, "\n"] {
            text.push_str(part);
        }
    }
    text
}

/// What is behind the second of two equal names. Images' names end as images do; a command's may be any, and none has a
/// lone backslash in a line.
const fn twin(kind: &Kind) -> &'static str {
    match kind {
        Kind::Command(_) => "\\+",
        _ => "+",
    }
}

/// A path with one spelling in one line, whatever a file is called: no two names give the same. NUL, which no name holds,
/// marks a byte that is not UTF-8.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\x"),
            other => text.push(other),
        }
    }
    text
}

/// The scale of a folder of LR images.
fn lr_scale(kind: &Kind, field: &str) -> Option<u32> {
    match kind {
        Kind::Prepare(prepare) if field.starts_with("lr") => Some(prepare.degrade.scale()),
        _ => None,
    }
}

/// Whether a folder holds both `house` and `housex4`: there the second was taken for the first's LR image before.
fn has_twins(files: &[(String, Digest)], scale: u32) -> bool {
    let stem = |(name, _): &'_ (String, Digest)| {
        let at = name.rfind('.').unwrap_or(name.len());
        name[..at].to_owned()
    };
    let stems: BTreeSet<String> = files.iter().map(stem).collect();
    let ending = format!("x{scale}");
    let plain = |stem: &String| {
        stem.strip_suffix(&ending)
            .is_some_and(|plain| stems.contains(plain))
    };
    stems.iter().any(plain)
}

/// Whether a file is named as JPEG files are. They were decoded by another library before: its results are none of today's.
fn is_jpeg(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = ["jpg", "jpeg", "jpe", "jfif"];
    known.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// What trainings have in common that differ only in when they stop and which weights they hand on: a finished one is
/// the beginning of a longer one. `None` for stages that do not train.
pub fn trajectory(kind: &Kind, manifest: &str) -> Option<Key> {
    kind.schedule()?;
    let stops = |line: &&str| {
        let own = ["config.iterations\t", "config.until.", "config.weights\t"];
        own.iter().any(|prefix| line.starts_with(prefix))
    };
    let lines: Vec<&str> = manifest.lines().filter(|line| !stops(line)).collect();
    Some(Key::of_manifest(&format!(
        "trajectory of {}\n",
        lines.join("\n")
    )))
}

#[derive(Default)]
struct Lines(BTreeMap<String, String>);

impl Lines {
    fn put(&mut self, path: &str, value: impl Display) {
        let mut text = value.to_string();
        if text.contains(['\\', '\t', '\n']) {
            text = text
                .replace('\\', "\\\\")
                .replace('\t', "\\t")
                .replace('\n', "\\n");
        }
        self.0.insert(escaped(path), text);
    }

    fn option(&mut self, path: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(path, value);
        }
    }

    /// `shown` is how lines name what the field names: a command reads its files under their paths.
    fn outside(
        &mut self,
        shown: &str,
        files: &[(String, Digest)],
        reads: impl Fn(&str) -> bool,
        twin: &str,
    ) {
        for (name, digest) in files.iter().filter(|(name, _)| reads(name)) {
            let path = format!("outside.{shown}/{name}");
            // Two of the folders that a stage joins may hold a file of one name.
            let mut line = escaped(&path);
            while self.0.contains_key(&line) {
                line.push_str(twin);
            }
            self.0.insert(line, digest.to_string());
        }
    }

    fn kind(&mut self, kind: &Kind, pipeline: &Pipeline, at: usize) {
        match kind {
            Kind::Prepare(prepare) => self.prepare(prepare),
            Kind::Mask(mask) => self.mask(mask),
            Kind::Pretrained(Pretrained {
                backbone,
                file: _,
                entry,
            }) => {
                self.architecture(backbone);
                self.option("config.entry", entry.as_ref());
            }
            Kind::Train(train) => self.train(train, pipeline, at),
            Kind::Tune(tune) => self.tune(tune, pipeline, at),
            Kind::Evaluate(evaluate) => self.evaluate(evaluate, pipeline, at),
            Kind::Table(table) => self.table(table, pipeline, at),
            Kind::Figure(figure) => self.figure(figure),
            Kind::Robustness(robustness) => self.robustness(robustness, pipeline, at),
            Kind::Command(command) => self.command(command, &pipeline.stages[at]),
        }
    }

    fn prepare(&mut self, prepare: &Prepare) {
        // Folders' paths, data sets' names and the name in tables do not change the pairs; what `only` and a data set
        // leave out shows in the list of files, and so does what `recursive` adds.
        let Prepare {
            images: _,
            dataset: _,
            root: _,
            lr: _,
            lr_if_present: _,
            names,
            recursive: _,
            degrade,
            only: _,
            seed,
            name: _,
        } = prepare;
        // The usual names were tried before there was a template.
        self.option("config.names", names.as_ref());
        match degrade {
            Degrade::Sr(scale) => self.put("config.degrade.sr", scale),
            Degrade::Denoise(sigma) => {
                self.put("config.degrade.denoise", sigma);
                self.put("config.seed", seed);
            }
        }
    }

    fn mask(&mut self, mask: &Mask) {
        // The granularity is its grid and its number of masks.
        let Mask {
            images: _,
            of,
            granularity: _,
            grid: _,
            count: _,
            segmenter,
        } = mask;
        // Masks of LQ images were there before there was a choice.
        self.option("config.of", (*of != Of::Lq).then_some(of));
        self.put("config.count", mask.count());
        self.put("config.segmenter", segmenter.name());
        match segmenter {
            Segmenter::Graph(graph) => {
                self.put("config.grid", mask.grid());
                self.graph(graph);
            }
            Segmenter::Sam(sam) => {
                if sam.point_grids.is_none() {
                    self.put("config.grid", mask.grid());
                }
                self.sam(sam);
            }
            // Without a choice a file is read in the one way that its form allows, as before there was one.
            Segmenter::Files { path: _, read } => self.option("config.segmenter.read", *read),
            Segmenter::Zero | Segmenter::Other { masks: _ } => {}
        }
    }

    fn graph(&mut self, graph: &Graph) {
        let Graph { sigma, k, min_size } = graph;
        self.option("config.segmenter.sigma", *sigma);
        self.option(
            "config.segmenter.k",
            k.map(|[a, b, c]| format!("{a} {b} {c}")),
        );
        self.option("config.segmenter.min_size", *min_size);
    }

    fn architecture(&mut self, backbone: &Architecture) {
        self.put("config.backbone", backbone.name());
        for (field, value) in backbone.lines() {
            self.put(&format!("config.backbone.{field}"), value);
        }
    }

    fn train(&mut self, train: &Train, pipeline: &Pipeline, at: usize) {
        let Train {
            backbone,
            from: _,
            images: _,
            schedule,
        } = train;
        self.architecture(backbone);
        self.schedule(schedule, degrade(pipeline, at));
    }

    fn tune(&mut self, tune: &Tune, pipeline: &Pipeline, at: usize) {
        let Tune {
            scheme,
            backbone: _,
            images: _,
            masks: _,
            alpha,
            locations,
            variant,
            init,
            share,
            schedule,
        } = tune;
        self.put("config.scheme", scheme);
        if *scheme == Scheme::Spt {
            // `locations: 6` of six blocks and no `locations` at all are the same units.
            let blocks = labels::architecture(pipeline, at).map_or(0, Architecture::blocks);
            self.put("config.locations", locations.unwrap_or(blocks));
            self.put("config.alpha", alpha);
            self.put("config.variant", variant);
            self.put("config.init", init);
            self.put("config.share", share);
        }
        self.schedule(schedule, degrade(pipeline, at));
    }

    fn schedule(&mut self, schedule: &Schedule, degrade: Degrade) {
        let Schedule {
            iterations,
            until,
            batch,
            accumulate,
            patch: _,
            lr,
            halve_every,
            betas: [beta1, beta2],
            loss,
            precision,
            channels_last,
            augment,
            seed,
            validate,
            weights: _,
        } = schedule;
        self.option("config.iterations", *iterations);
        if let Some(Until::Converged {
            patience,
            min_gain,
            at_most,
        }) = until
        {
            self.put("config.until.patience", patience);
            self.put("config.until.min_gain", min_gain);
            self.put("config.until.at_most", at_most);
        }
        self.put("config.batch", batch);
        // Absent lines are the defaults: results of earlier versions keep their keys.
        self.option(
            "config.accumulate",
            (*accumulate != 1).then_some(accumulate),
        );
        let low = *precision != Precision::Fp32;
        self.option("config.precision", low.then_some(precision));
        let layout = channels_last.then_some(channels_last);
        self.option("config.channels_last", layout);
        self.put("config.patch", schedule.patch(degrade));
        self.put("config.lr", lr);
        self.put("config.halve_every", halve_every);
        self.put("config.betas", format!("{beta1} {beta2}"));
        self.put("config.loss", loss);
        self.put("config.augment", augment);
        self.put("config.seed", seed);
        self.put("config.weights", schedule.weights());
        if let Some(Validate {
            images: _,
            masks: _,
            every,
        }) = validate
        {
            self.put("config.validate.every", every);
        }
    }

    fn evaluate(&mut self, evaluate: &Evaluate, pipeline: &Pipeline, at: usize) {
        let Evaluate {
            model: _,
            images: _,
            masks: _,
            metrics,
            luma: _,
            shave: _,
            tiling,
            save,
        } = evaluate;
        let degrade = degrade(pipeline, at);
        let mut metrics: Vec<&str> = metrics.iter().map(|m| m.as_str()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        self.put("config.metrics", metrics.join(" "));
        self.put("config.luma", evaluate.luma(degrade));
        self.put("config.shave", evaluate.shave(degrade));
        self.put("config.tiling", tiling);
        self.put("config.save", save);
    }

    /// Where the command runs and where its outputs go are part of what it sees, so they are in the key.
    fn command(&mut self, command: &Command, stage: &Stage) {
        let Command {
            run,
            shell,
            files: _,
            stages: _,
            outputs: _,
            env,
            pass: _,
            secrets: _,
            key,
        } = command;
        for (n, word) in run.iter().enumerate() {
            self.put(&format!("config.run.{n:03}"), word);
        }
        if let Some(shell) = shell {
            let Shell { program, script } = shell;
            self.put("config.shell", script);
            // A text for `sh` was there before there was a choice.
            let named = || format!("{program} {}", shell.options().join(" "));
            self.option("config.shell.program", (program != "sh").then(named));
        }
        self.put("config.folder", stage.places.home.display());
        for (n, path) in stage.places.outputs.iter().enumerate() {
            self.put(&format!("config.outputs.{n:03}"), path.display());
        }
        for (name, value) in env {
            self.put(&format!("config.env.{name}"), value);
        }
        for (name, value) in &stage.handed.pass {
            self.put(&format!("config.pass.{name}"), Digest::of(value.as_bytes()));
        }
        match key {
            Some(KeyPart::Program) => self.option("config.program", stage.program.as_ref()),
            None => {}
        }
    }

    fn figure(&mut self, figure: &Figure) {
        let Figure {
            baseline: _,
            tuned: _,
            crops,
            better,
            worse,
            window,
            images,
            zoom,
            gain,
            caption,
        } = figure;
        for (n, crop) in crops.iter().enumerate() {
            let Crop {
                image,
                x,
                y,
                width,
                height,
            } = crop;
            let place = format!("{x} {y} {width} {height} {image}");
            self.put(&format!("config.crops.{n:03}"), place);
        }
        for (n, image) in images.iter().enumerate() {
            self.put(&format!("config.images.{n:03}"), image);
        }
        self.put("config.better", better);
        self.put("config.worse", worse);
        self.put("config.window", window);
        self.put("config.zoom", zoom);
        self.put("config.gain", gain);
        self.put("config.caption", caption);
    }

    fn robustness(&mut self, robustness: &Robustness, pipeline: &Pipeline, at: usize) {
        let Robustness {
            lq: _,
            hq: _,
            caption,
            note,
        } = robustness;
        self.put("config.caption", caption);
        self.put("config.note", note);
        for edge in &pipeline.stages[at].inputs {
            for (label, value) in labels::of_masks(pipeline, edge.stage) {
                self.put(&format!("label.{}.{label}", edge.role), value);
            }
        }
    }

    fn table(&mut self, table: &Table, pipeline: &Pipeline, at: usize) {
        let Table {
            from: _,
            rows,
            columns,
            metric,
            values,
            baseline: _,
            average,
            seeds,
            interval: Interval { resamples, seed },
            published: _,
            published_for,
            published_baseline: _,
            curves,
            caption,
            note,
        } = table;
        self.put("config.rows", rows.join(" "));
        self.option("config.columns", columns.as_ref());
        self.put("config.metric", metric);
        let values: Vec<&str> = values.iter().map(|v| value_name(*v)).collect();
        self.put("config.values", values.join(" "));
        self.put("config.average", average);
        self.put("config.seeds", seeds);
        self.put("config.curves", curves);
        self.put("config.interval.resamples", resamples);
        if *resamples > 0 {
            self.put("config.interval.seed", seed);
        }
        for (label, LabelText(value)) in published_for {
            self.put(&format!("config.published_for.{label}"), value);
        }
        self.put("config.caption", caption);
        self.put("config.note", note);
        // Labels stand in the table, so they belong to its key, though not to that of what they describe.
        for edge in &pipeline.stages[at].inputs {
            for (label, value) in labels::of(pipeline, edge.stage) {
                let shown = rows.contains(&label) || columns.as_ref() == Some(&label);
                if shown || matches!(label.as_str(), "set" | "luma" | "degrade") {
                    self.put(&format!("label.{}.{label}", edge.role), value);
                }
            }
        }
    }
}

/// The name of a value column, as in YAML.
const fn value_name(value: TableValue) -> &'static str {
    match value {
        TableValue::Ssim => "ssim",
        TableValue::Iterations => "iterations",
        TableValue::Trainable => "trainable",
        TableValue::Masks => "masks",
        TableValue::Seconds => "seconds",
        TableValue::PeakMemory => "peak_memory",
    }
}

/// The degradation of the images a stage reads; `spec` has made sure that there is one.
fn degrade(pipeline: &Pipeline, at: usize) -> Degrade {
    match pipeline.stages[at]
        .input("images")
        .map(|i| &pipeline.stages[i].kind)
    {
        Some(Kind::Prepare(prepare)) => prepare.degrade,
        _ => Degrade::Sr(1),
    }
}
