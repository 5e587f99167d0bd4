//! Reads what an evaluation left: the metrics of each image and a summary.
//! Unaware of tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pixels::score;
use serde::Deserialize;

/// An evaluation that a table shows.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// What can be said of it (`spec::labels`).
    pub labels: BTreeMap<String, String>,
    /// Its output folder.
    pub folder: PathBuf,
    /// Its key.
    pub key: String,
    /// The key of the images.
    pub images: String,
    /// The network without its weights, so that a row finds its baseline.
    pub backbone: String,
    /// Seconds and peak memory of the training, as recorded, by name.
    pub facts: BTreeMap<String, f64>,
    /// The output folder of the training that made its model, if one did.
    pub training: Option<PathBuf>,
    /// The output folder of its images.
    pub pairs: PathBuf,
    /// The output folders of the images that the model, and what it was made from, was trained on.
    pub trained_on: Vec<PathBuf>,
    /// The same of the images by which it was decided when to stop and which weights to hand on.
    pub stopped_by: Vec<PathBuf>,
}

/// What went wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// An evaluation's file cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A table's file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A CSV could not be put together.
    #[error("cannot write CSV: {0}")]
    Csv(String),
    /// An evaluation and its baseline are not of the same images.
    #[error("`{}` and its baseline do not have the same images", folder.display())]
    Unpaired {
        /// The evaluation's output folder.
        folder: PathBuf,
    },
    /// A file of published values does not fit.
    #[error("{}:{line}: {why}", path.display())]
    Published {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
}

impl ReportError {
    /// What to do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "run its stage again with --force",
            Self::Write { .. } | Self::Csv(_) => "free space if the disk is full, and run again",
            Self::Unpaired { .. } => "run both evaluations again with --force",
            Self::Published { .. } => {
                "columns are labels such as backbone, scale, scheme, dataset, alpha, and psnr_db, delta_db"
            }
        }
    }
}

/// The numbers of one evaluation.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The images' names.
    pub names: Vec<String>,
    /// Values in the order of `names`, by metric; a metric that was not asked for is not there. Infinite and undefined
    /// ones are as they were stored (`pixels::score`).
    pub values: BTreeMap<String, Vec<f64>>,
    /// What the evaluation says of itself.
    pub summary: Summary,
}

impl Scores {
    /// How many images.
    pub fn images(&self) -> usize {
        self.names.len()
    }

    /// What each image counts of a metric that was asked for; nothing for images on which it is undefined.
    pub fn counted(&self, metric: &str) -> Option<impl Iterator<Item = f64>> {
        let values = self.values.get(metric)?.iter();
        Some(values.filter_map(|value| score::counted(metric, *value)))
    }
}

/// `summary.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    /// The channel.
    pub luma: String,
    /// Pixels cut from each side.
    pub shave: u32,
    /// The model that was evaluated.
    pub model: ModelFacts,
    /// Distinct masks an image, before padding.
    #[serde(default)]
    pub masks_found: Option<f64>,
    /// How images were cut into tiles: a name or a size.
    #[serde(default)]
    pub tiling: Option<serde_json::Value>,
}

/// `model.json`: what a training says of its result.
#[derive(Clone, Debug, Deserialize)]
pub struct ModelFacts {
    /// Iterations up to the weights that were handed on; none for weights of others.
    #[serde(default)]
    pub iterations: Option<u64>,
    /// Trainable parameters of the last training.
    #[serde(default)]
    pub trainable: Option<u64>,
}

/// Reads `metrics.csv` (columns `image`, then metrics) and `summary.json` of an evaluation.
pub fn read_scores(folder: &Path) -> Result<Scores, ReportError> {
    let path = folder.join("metrics.csv");
    let wrong = |why: String| ReportError::Read {
        path: path.clone(),
        why,
    };
    let mut reader = csv::Reader::from_path(&path).map_err(|e| wrong(e.to_string()))?;
    let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let mut names = Vec::new();
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        names.push(row.get(0).unwrap_or_default().to_owned());
        for (name, text) in header.iter().zip(row.iter()).skip(1) {
            let value =
                score::parse(text).ok_or_else(|| wrong(format!("`{text}` is not a number")))?;
            values.entry(name.to_owned()).or_default().push(value);
        }
    }
    if names.is_empty() {
        return Err(wrong("there is no image in it".into()));
    }
    Ok(Scores {
        names,
        values,
        summary: read_json(&folder.join("summary.json"))?,
    })
}

/// Reads a JSON file that a stage left.
pub(in crate::report) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<T, ReportError> {
    let wrong = |why: String| ReportError::Read {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(files::reason(&e)))
}
