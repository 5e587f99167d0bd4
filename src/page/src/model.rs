//! What a page is made of, as whoever asks for it tells: names, and where results lie.
//! Unaware of what is in those results, and of how the page looks.

use std::path::PathBuf;

use serde::Serialize;

/// What the page shows, and where it lies.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The pipeline file, as the page names it.
    pub file: String,
    /// What is said of the run, in order: word and text.
    pub facts: Vec<(String, String)>,
    /// The command that runs the file as it was run, without stages.
    pub command: String,
    /// The command that prints where the results of stages lie, without stages.
    pub path: String,
    /// The graph of stages, an `.svg` file; empty where there are none.
    pub graph: String,
    /// All stages, in the order of the file.
    pub stages: Vec<Stage>,
    /// The tables, in the order of the file.
    pub tables: Vec<Table>,
    /// The sets of images that evaluations are of.
    pub sets: Vec<Set>,
    /// The trainings.
    pub trainings: Vec<Training>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Whether the run goes on: the page then loads itself again now and then.
    pub going_on: bool,
}

/// A stage.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// `done`, `fresh`, `failed`, `blocked` or `not run`.
    pub state: String,
    /// Why it ran, or why it did not.
    pub why: String,
    /// How long it took when it ran.
    pub seconds: Option<f64>,
    /// Its peak memory, of the GPU where one was used, in MiB.
    pub mib: Option<f64>,
    /// Its key.
    pub key: Option<String>,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The stage.
    pub name: String,
    /// Its outputs.
    pub folder: PathBuf,
}

/// A set of images, degraded in one way.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// What it is called; no two sets have one name.
    pub name: String,
    /// The key of its `prepare` stage, which names the files in `img/`.
    pub key: String,
    /// The outputs of that stage.
    pub folder: PathBuf,
    /// Its evaluations, in the order of the file.
    pub methods: Vec<Method>,
    /// The masks that these read.
    pub masks: Vec<Masks>,
    /// Whether there is no GT: photographs of somebody's own, whose methods have no metrics.
    pub blind: bool,
    /// What the images are called where they are shown, in their order; their own names where this is empty.
    pub titles: Vec<String>,
}

/// An evaluation.
#[derive(Clone, Debug, Default)]
pub struct Method {
    /// What it is called; no two of a set have one name.
    pub name: String,
    /// The stage.
    pub stage: String,
    /// Its key.
    pub key: String,
    /// Its outputs.
    pub folder: PathBuf,
    /// Whether a table takes Δ to it.
    pub baseline: bool,
    /// The stage of the masks that it read.
    pub masks: Option<String>,
    /// Whether another run made it, and no stage of the file as it is now.
    pub other: bool,
}

/// Masks of a set.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    /// The stage.
    pub stage: String,
    /// Its key.
    pub key: String,
    /// Its outputs.
    pub folder: PathBuf,
}

/// A training.
#[derive(Clone, Debug, Default)]
pub struct Training {
    /// The stage.
    pub name: String,
    /// Its outputs.
    pub folder: PathBuf,
}

/// A figure.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// The stage.
    pub name: String,
    /// Its picture, relative to the page.
    pub file: String,
    /// What it shows.
    pub caption: String,
}
