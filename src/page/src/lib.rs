//! The page of a pipeline's reports: `index.html` and `img/`, to be opened from a disk and sent to others.
//! Unaware of plans, keys and running; it is told where results lie, and reads them.
//!
//! ```text
//!   Page: facts of the run, stages, tables, sets of images with their evaluations, trainings
//!     |
//!     ├── sets ───── pairs.json, metrics.csv, masks.json ──┐
//!     ├── tables ─── cells.csv, table.* ───────────────────┼── one JSON ── html ── index.html, with assets/*.js and *.css
//!     ├── curves ─── steps.csv ────────────────────────────┘
//!     └── pictures ─ PNG files and masks ── img/*.js, img/*.png: read when they are looked at
//! ```

mod curves;
mod html;
mod pictures;
mod sets;
mod single;
mod tables;

use std::io;
use std::path::PathBuf;

use artifacts::ArtifactError;
use serde::Serialize;

pub use single::single;
use spec::metrics::Metric;

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

/// Where the page is put.
pub trait Shelf: Sync {
    /// Whether this file is there: names in `img/` say what is in a file, so that it needs no other look.
    fn has(&self, name: &str) -> bool;
    /// Writes it whole.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}

/// What went wrong with the page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file that a stage wrote cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The same of a picture or masks.
    #[error(transparent)]
    Pixels(#[from] pixels::PixelError),
    /// A file cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file of the page cannot be written.
    #[error("cannot write `{name}`: {source}")]
    Write {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl PageError {
    /// Whether it is of a file of the page, and of none that is shown.
    const fn is_of_page(&self) -> bool {
        matches!(self, Self::Write { .. })
    }
}

/// Writes the page; returns the names of its files.
///
/// # Errors
/// A result cannot be read, but of a picture of another run, which is left out; or a file of the page cannot be written.
pub fn write(page: &Page, shelf: &dyn Shelf) -> Result<Vec<String>, PageError> {
    let mut files = pictures::Files::new(shelf);
    let sets = page.sets.iter().map(|set| sets::read(set, &mut files));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let tables = page.tables.iter().map(tables::read);
    let data = Data {
        command: &page.command,
        path: &page.path,
        stages: &page.stages,
        tables: tables.collect::<Result<_, _>>()?,
        curves: curves::read(&page.trainings)?,
        sets,
        metrics: Metric::ALL
            .iter()
            .map(|m| [m.as_str(), m.title()])
            .collect(),
        going_on: page.going_on,
    };
    if !page.graph.is_empty() {
        files.put("img/graph.svg", page.graph.as_bytes())?;
    }
    let text = html::page(page, &data);
    files.put("index.html", text.as_bytes())?;
    Ok(files.names())
}

/// What the page's script works with.
#[derive(Serialize)]
struct Data<'a> {
    command: &'a str,
    path: &'a str,
    stages: &'a [Stage],
    tables: Vec<tables::Shown>,
    curves: Vec<curves::Shown<'a>>,
    sets: Vec<sets::Shown<'a>>,
    /// Names of all metrics in files, and as tables call them.
    metrics: Vec<[&'static str; 2]>,
    going_on: bool,
}
