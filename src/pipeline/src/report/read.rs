//! Reads what an evaluation left: the metrics of each image and a summary.
//! Unaware of tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// An evaluation that a table shows.
#[derive(Clone, Debug)]
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
}

/// The numbers of one evaluation.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Images.
    pub images: usize,
    /// Means over the images by metric name; a metric that was not asked for is not there.
    pub means: BTreeMap<String, f64>,
    /// What the evaluation says of itself.
    pub summary: Summary,
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
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    let mut images = 0;
    for row in reader.records() {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        images += 1;
        for (name, text) in header.iter().zip(row.iter()).skip(1) {
            let value: f64 = text
                .parse()
                .map_err(|_| wrong(format!("`{text}` is not a number")))?;
            *sums.entry(name.to_owned()).or_default() += value;
        }
    }
    if images == 0 {
        return Err(wrong("there is no image in it".into()));
    }
    let means = sums
        .into_iter()
        .map(|(name, sum)| (name, sum / images as f64))
        .collect();
    Ok(Scores {
        images,
        means,
        summary: read_summary(&folder.join("summary.json"))?,
    })
}

fn read_summary(path: &Path) -> Result<Summary, ReportError> {
    let wrong = |why: String| ReportError::Read {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))
}
