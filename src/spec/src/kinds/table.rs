//! `table`: evaluations side by side.
//! Unaware of how a table is laid out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::label_text::LabelText;
use super::reads::{Accepts, Listing, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::behind::{self, Behind};
use crate::checker::Checker;
use crate::de;
use crate::error::{self, Problem, Problems};
use crate::labels::{self, Labels};
use crate::lines::{Lines, Tag};
use crate::metrics::Metric;
use crate::node::Node;

/// `table`: evaluations side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The evaluations; a swept stage stands for all of its members.
    pub from: Vec<String>,
    /// Labels that make the rows (see [`crate::labels`]), from the left; the best value of all rows on the same images is
    /// marked.
    pub rows: Vec<String>,
    /// The label whose values make columns (`set`); one column, over all images, when absent.
    #[serde(default)]
    pub columns: Option<String>,
    /// What the columns show.
    #[serde(default = "psnr")]
    pub metric: Metric,
    /// Columns behind them.
    #[serde(default)]
    pub values: Vec<TableValue>,
    /// What Δ is taken to: for each row, the evaluation among these of the same images and the same backbone.
    #[serde(default)]
    pub baseline: Vec<String>,
    /// Whether a column with the average over all images, weighted by their number, follows the columns.
    #[serde(default)]
    pub average: bool,
    /// Whether evaluations that differ in the label `seed` only share a row: mean ± standard deviation over seeds.
    #[serde(default)]
    pub seeds: bool,
    /// The interval around Δ.
    #[serde(default)]
    pub interval: Interval,
    /// A CSV file of published values: label columns (`backbone`, `scale`, `scheme`, `dataset`, …) and `psnr_db`,
    /// `delta_db`. The table then shows measured, published and difference.
    #[serde(default)]
    pub published: Option<PathBuf>,
    /// What all rows of `published` are about where the file does not say: `{set: Manga109}`. Rows that say otherwise
    /// are left out.
    #[serde(default)]
    pub published_for: BTreeMap<String, LabelText>,
    /// Another such file, for published baselines that `published` lacks.
    #[serde(default)]
    pub published_baseline: Option<PathBuf>,
    /// Columns that `command` stages have measured, by heading: LPIPS, say, from a script of your own.
    #[serde(default)]
    pub scores: BTreeMap<String, Scores>,
    /// Whether the validation PSNR of the trainings is drawn over iterations, in `curves.svg`.
    #[serde(default)]
    pub curves: bool,
    /// How the LaTeX table fits its column.
    #[serde(default)]
    pub latex: LatexWidth,
    /// The line above the table.
    #[serde(default)]
    pub caption: String,
    /// A line below the table, such as what is to be read with care.
    #[serde(default)]
    pub note: String,
}

const fn psnr() -> Metric {
    Metric::Psnr
}

/// A column of a table from the CSV that a `command` stage has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// The stage.
    pub stage: String,
    /// The CSV, one of its outputs: a column a label of `rows` that tells its lines apart (`scheme`), and one of numbers,
    /// which are averaged over the lines of a row. A line whose labels no row has makes a row of its own.
    pub file: String,
    /// The column of numbers.
    pub column: String,
    /// How they were measured, for the sentence below the table.
    pub protocol: String,
}

/// How wide a LaTeX table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatexWidth {
    /// As wide as its text, in the size of the text around it.
    #[default]
    Natural,
    /// In a smaller font (`\\footnotesize`) with less space between columns.
    Small,
    /// Made as wide as the column of text (`\\resizebox` of the package graphicx).
    Resize,
}

impl LatexWidth {
    /// The name in YAML and in keys.
    const fn name(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Small => "small",
            Self::Resize => "resize",
        }
    }
}

/// The percentile interval of Δ from a paired bootstrap over images, within each set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Interval {
    /// Resamples; no interval with 0.
    pub resamples: u32,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            resamples: 10_000,
            seed: 0,
        }
    }
}

/// A column of a table that is about the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableValue {
    /// SSIM, averaged over all images.
    Ssim,
    /// Iterations of the training, where their number is fixed; of one with `until:` those up to the best validation.
    Iterations,
    /// Trainable parameters of that training.
    Trainable,
    /// Distinct masks found an image, on average, before padding.
    Masks,
    /// Seconds the training took, as recorded; not determined by the key.
    Seconds,
    /// Peak memory of the training in MiB, as recorded; not determined by the key.
    PeakMemory,
}

impl TableValue {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Ssim,
        Self::Iterations,
        Self::Trainable,
        Self::Masks,
        Self::Seconds,
        Self::PeakMemory,
    ];

    /// The name in YAML and in keys.
    const fn name(self) -> &'static str {
        match self {
            Self::Ssim => "ssim",
            Self::Iterations => "iterations",
            Self::Trainable => "trainable",
            Self::Masks => "masks",
            Self::Seconds => "seconds",
            Self::PeakMemory => "peak_memory",
        }
    }
}

impl StageKind for Table {
    const NAME: &'static str = "table";

    /// 1: first; 2: intervals, published values, seeds, warnings; 3: one best row a group, none below its baseline,
    /// iterations as the file fixes them; 4: the best of all rows on the same images, losses beside curves, LaTeX with real
    /// minus signs.
    const VERSION: u32 = 4;

    fn read(config: &Node) -> Result<Self, Problem> {
        let mut table: Self = de::from_node(config)?;
        for label in table.rows.iter_mut().chain(&mut table.columns) {
            *label = labels::word(label).to_owned();
        }
        let published = std::mem::take(&mut table.published_for).into_iter();
        table.published_for = published
            .map(|(label, value)| (labels::word(&label).to_owned(), value))
            .collect();
        Ok(table)
    }

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.list("from", &self.from, Accepts::Evaluation);
        reads.list("baseline", &self.baseline, Accepts::Evaluation);
        for (name, scores) in &self.scores {
            reads.entry("scores", name, &scores.stage, Accepts::Any);
        }
        for (field, path) in [
            ("published", &mut self.published),
            ("published_baseline", &mut self.published_baseline),
        ] {
            if let Some(path) = path {
                reads.file(field, path, Listing::File);
            }
        }
    }

    fn serves_as(&self) -> &'static [Accepts] {
        &[]
    }

    fn check(&self, checker: &Checker<'_>, problems: &mut Problems) {
        let around = checker.around;
        let evaluations = around.inputs_of("from");
        checker.need(
            !evaluations.is_empty(),
            "from",
            || "a table shows at least one evaluation".into(),
            problems,
        );
        checker.need(
            !self.rows.is_empty(),
            "rows",
            || "name at least one label".into(),
            problems,
        );
        let rows = self
            .rows
            .iter()
            .enumerate()
            .map(|(i, r)| (format!("rows.{i}"), r));
        let all = rows.chain(self.columns.iter().map(|c| ("columns".to_owned(), c)));
        let labels = evaluations
            .iter()
            .flat_map(|&at| around.of(at).labels().into_keys());
        let known: BTreeSet<String> = labels.collect();
        for (path, label) in all.filter(|(_, l)| !known.contains(*l)) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = error::suggest(label, &names, "labels");
            problems.push(
                checker
                    .problem(&path, format!("unknown label `{label}`"))
                    .hint(hint),
            );
        }
        self.check_published(&known, checker, problems);
        self.check_scores(checker, problems);
        let curved = |e: &usize| {
            let model = around.of(*e).input("model");
            model.is_some_and(|model| model.is_validated())
        };
        checker.need(
            !self.curves || evaluations.iter().any(curved),
            "curves",
            || "no training here has a validation, so there is no curve".into(),
            problems,
        );
        if problems.is_empty() {
            self.one_protocol(&evaluations, checker, problems);
            self.distinct_cells(&evaluations, checker, problems);
        }
    }

    fn outputs(&self) -> &'static [&'static str] {
        let all = &[
            "table.txt",
            "table.csv",
            "table.md",
            "table.tex",
            "cells.csv",
            "curves.svg",
        ];
        if self.curves { all } else { &all[..5] }
    }

    fn lines(&self, around: &Around<'_>, lines: &mut Lines) {
        let Self {
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
            scores,
            curves,
            latex,
            caption,
            note,
        } = self;
        lines.put(Tag::Result, "config.rows", rows.join(" "));
        lines.option(Tag::Result, "config.columns", columns.as_ref());
        lines.put(Tag::Result, "config.metric", metric);
        let values: Vec<&str> = values.iter().map(|v| v.name()).collect();
        lines.put(Tag::Result, "config.values", values.join(" "));
        lines.put(Tag::Result, "config.average", average);
        lines.put(Tag::Result, "config.seeds", seeds);
        lines.put(Tag::Result, "config.curves", curves);
        if *latex != LatexWidth::default() {
            lines.put(Tag::Result, "config.latex", latex.name());
        }
        lines.put(Tag::Result, "config.interval.resamples", resamples);
        if *resamples > 0 {
            lines.put(Tag::Result, "config.interval.seed", seed);
        }
        for (label, LabelText(value)) in published_for {
            let path = format!("config.published_for.{label}");
            lines.put(Tag::Result, &path, value);
        }
        for (name, scores) in scores {
            let Scores {
                stage: _,
                file,
                column,
                protocol,
            } = scores;
            for (field, value) in [("file", file), ("column", column), ("protocol", protocol)] {
                let path = format!("config.scores.{name}.{field}");
                lines.put(Tag::Result, &path, value);
            }
        }
        lines.put(Tag::Result, "config.caption", caption);
        lines.put(Tag::Result, "config.note", note);
        // Labels stand in the table, so they belong to its key, though not to that of what they describe.
        for edge in around.inputs() {
            for (label, value) in around.of(edge.stage).labels() {
                let shown = rows.contains(&label) || columns.as_ref() == Some(&label);
                if shown || matches!(label.as_str(), "set" | "luma" | "degrade") {
                    let path = format!("label.{}.{label}", edge.role);
                    lines.put(Tag::Result, &path, value);
                }
            }
        }
    }

    fn behind(&self, around: &Around<'_>) -> Vec<Behind> {
        behind::evaluations(around, self.curves)
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }

    fn labels(&self, _: &Around<'_>, _: &mut Labels) {}
}

impl Table {
    /// Scores come from outputs of commands, and say how they were measured.
    fn check_scores(&self, checker: &Checker<'_>, problems: &mut Problems) {
        for (name, scores) in &self.scores {
            let path = |field: &str| format!("scores.{name}.{field}");
            let stages = checker.around.inputs_of(&format!("scores.{name}"));
            let command = match stages.as_slice() {
                &[at] => Some(checker.around.of(at)),
                _ => None,
            };
            let command = command.as_ref().and_then(Around::config::<Command>);
            let outputs = command.map(|command| &command.outputs);
            let has = outputs.is_some_and(|all| all.iter().any(|o| o == Path::new(&scores.file)));
            let message = || {
                format!(
                    "`{}` is not one `command` stage with an output `{}`",
                    scores.stage, scores.file
                )
            };
            checker.need(has, &path("file"), message, problems);
            checker.need(
                !scores.protocol.trim().is_empty(),
                &path("protocol"),
                || "say how the numbers were measured".into(),
                problems,
            );
        }
    }

    fn check_published(
        &self,
        known: &BTreeSet<String>,
        checker: &Checker<'_>,
        problems: &mut Problems,
    ) {
        let alone = self.published.is_some()
            || (self.published_for.is_empty() && self.published_baseline.is_none());
        let message = || "this goes with `published: FILE.csv`".into();
        let field = if self.published_baseline.is_some() {
            "published_baseline"
        } else {
            "published_for"
        };
        checker.need(alone, field, message, problems);
        checker.need(
            self.published.is_none() || self.metric == Metric::Psnr,
            "published",
            || "published values are PSNR, and this table shows another metric".into(),
            problems,
        );
        for label in self.published_for.keys().filter(|l| !known.contains(*l)) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let problem = checker.problem(
                &format!("published_for.{label}"),
                format!("unknown label `{label}`"),
            );
            problems.push(problem.hint(error::suggest(label, &names, "labels")));
        }
        let joined = self.seeds && self.rows.iter().chain(&self.columns).any(|l| l == "seed");
        let message = || "`seeds: true` joins what differs in `seed`, which is a label here".into();
        checker.need(!joined, "seeds", message, problems);
    }

    /// Numbers of different protocols never share a table unless it says which is which.
    fn one_protocol(&self, evaluations: &[usize], checker: &Checker<'_>, problems: &mut Problems) {
        let protocols = [
            ("luma", None),
            ("tiling", None),
            ("evaluation_precision", Some("fp32")),
        ];
        for (label, absent) in protocols {
            let own = |e: &usize| checker.around.of(*e).labels().remove(label);
            let protocols: BTreeSet<String> = evaluations
                .iter()
                .filter_map(|e| own(e).or(absent.map(str::to_owned)))
                .collect();
            let said = self.rows.iter().chain(&self.columns).any(|l| l == label);
            let message = || {
                format!(
                    "these evaluations use different {label} protocols: add `{label}` to `rows`"
                )
            };
            checker.need(protocols.len() <= 1 || said, "from", message, problems);
        }
    }

    fn distinct_cells(
        &self,
        evaluations: &[usize],
        checker: &Checker<'_>,
        problems: &mut Problems,
    ) {
        let mut seen = std::collections::BTreeMap::new();
        for &at in evaluations {
            let labels = checker.around.of(at).labels();
            let cell: Vec<String> = self
                .rows
                .iter()
                .chain(self.columns.as_ref())
                .map(|l| labels.get(l).cloned().unwrap_or_default())
                .chain(
                    self.columns
                        .is_none()
                        .then(|| labels.get("set").cloned().unwrap_or_default()),
                )
                .chain(
                    self.seeds
                        .then(|| labels.get("seed").cloned().unwrap_or_default()),
                )
                .collect();
            if let Some(other) = seen.insert(cell, at) {
                let (a, b) = (
                    checker.around.of(other).name(),
                    checker.around.of(at).name(),
                );
                let message = format!("`{a}` and `{b}` fall into the same cell");
                let hint = if labels.get("seed") == checker.around.of(other).labels().get("seed") {
                    "add a label to `rows` in which they differ"
                } else {
                    "add a label to `rows` in which they differ, or join seeds by `seeds: true`"
                };
                problems.push(checker.problem("from", message).hint(hint));
            }
        }
    }
}
