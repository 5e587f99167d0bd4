//! Reads what an evaluation left: the metrics of each image and a summary.
//! Unaware of tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifacts::{ArtifactError, Metrics, Summary};

/// An evaluation that a table shows.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// What can be said of it (`spec::Around::labels`).
    pub labels: BTreeMap<String, String>,
    /// Its output folder.
    pub folder: PathBuf,
    /// Its key.
    pub key: String,
    /// The key of the images.
    pub images: String,
    /// The network without its weights, so that a row finds its baseline.
    pub backbone: String,
    /// Iterations of the training that made its model, where their number was fixed.
    pub iterations: Option<u64>,
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
    /// A file that a stage wrote cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
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
    /// A line that a command has measured fits several rows.
    #[error("{}:{line}: {why}", path.display())]
    Score {
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
            Self::Read { .. } | Self::Artifact(_) => "run its stage again with --force",
            Self::Write { .. } => "free space if the disk is full, and run again",
            Self::Csv(_) => "this is a defect of pipeline; please report it",
            Self::Unpaired { .. } => "run both evaluations again with --force",
            Self::Published { .. } => {
                "columns are labels such as backbone, scale, scheme, dataset, alpha, and psnr_db, delta_db"
            }
            Self::Score { .. } => {
                "have the command write its labels to the letter as the table shows them"
            }
        }
    }
}

/// The numbers of one evaluation.
#[derive(Clone, Debug)]
pub struct Scores {
    /// Those of each image.
    pub metrics: Metrics,
    /// What the evaluation says of itself.
    pub summary: Summary,
}

impl Scores {
    /// How many images.
    pub const fn images(&self) -> usize {
        self.metrics.images.len()
    }
}

/// Reads `metrics.csv` and `summary.json` of an evaluation.
pub fn read_scores(folder: &Path) -> Result<Scores, ReportError> {
    Ok(Scores {
        metrics: Metrics::read(folder)?,
        summary: Summary::read(folder)?,
    })
}
