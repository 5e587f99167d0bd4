//! `table`: evaluations side by side.
//! Unaware of how a table is laid out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::reads::{Accepts, Listing, Reads};
use super::stage_kind::StageKind;
use crate::around::Around;
use crate::labels;
use crate::lines::{Lines, Tag};
use crate::names::Metric;

/// `table`: evaluations side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The evaluations; a swept stage stands for all of its members.
    pub from: Vec<String>,
    /// Labels that make the rows (see [`crate::labels`]), from the left; best values are marked among rows that
    /// differ in the last one only.
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
    /// Whether the validation PSNR of the trainings is drawn over iterations, in `curves.svg`.
    #[serde(default)]
    pub curves: bool,
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

/// The text of a label; a number in YAML is its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("type" = ["string", "number"]))]
pub struct LabelText(pub String);

impl<'de> Deserialize<'de> for LabelText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelVisitor)
    }
}

struct LabelVisitor;

impl serde::de::Visitor<'_> for LabelVisitor {
    type Value = LabelText;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<LabelText, E> {
        Ok(LabelText(text.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<LabelText, E> {
        Ok(LabelText(number.to_string()))
    }
}

/// A column of a table that is about the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableValue {
    /// SSIM, averaged over all images.
    Ssim,
    /// Iterations of the training whose weights were handed on or, with `best`, up to the best validation.
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

    /// 1: first; 2: intervals, published values, seeds, warnings.
    const VERSION: u32 = 2;

    fn reads(&mut self, reads: &mut Reads<'_>) {
        reads.list("from", &self.from, Accepts::Evaluation);
        reads.list("baseline", &self.baseline, Accepts::Evaluation);
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
            curves,
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
        lines.put(Tag::Result, "config.interval.resamples", resamples);
        if *resamples > 0 {
            lines.put(Tag::Result, "config.interval.seed", seed);
        }
        for (label, LabelText(value)) in published_for {
            let path = format!("config.published_for.{label}");
            lines.put(Tag::Result, &path, value);
        }
        lines.put(Tag::Result, "config.caption", caption);
        lines.put(Tag::Result, "config.note", note);
        // Labels stand in the table, so they belong to its key, though not to that of what they describe.
        for edge in &around.stage().inputs {
            for (label, value) in labels::of(&around.of(edge.stage)) {
                let shown = rows.contains(&label) || columns.as_ref() == Some(&label);
                if shown || matches!(label.as_str(), "set" | "luma" | "degrade") {
                    let path = format!("label.{}.{label}", edge.role);
                    lines.put(Tag::Result, &path, value);
                }
            }
        }
    }

    fn numerics(&self) -> Option<Tag> {
        None
    }
}
