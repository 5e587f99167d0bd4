//! What `pipeline restore` asks of `pipeline-worker`: a model, photographs, and where the restored ones go. One JSON file;
//! what the worker says of it are the events of [`crate::Event`].
//! Unaware of stages: which model, which masks and which names is decided before.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::Device;
use crate::names::Precision;

/// Version of the file; a worker refuses any other.
pub const RESTORATION_FORMAT: u32 = 1;

/// Photographs to restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// [`RESTORATION_FORMAT`].
    pub format: u32,
    /// The network.
    pub model: Weights,
    /// The network that it is compared with, if it is.
    pub baseline: Option<Baseline>,
    /// The photographs; all are restored, or the first that cannot be ends the work.
    pub photos: Vec<Restored>,
    /// How large photographs are cut.
    pub tiles: Tiles,
    /// The format of the restored photographs.
    pub form: Form,
    /// The numbers that the network computes with.
    #[serde(default = "fp32")]
    pub precision: Precision,
    /// Where to compute.
    pub device: Device,
    /// Threads.
    pub threads: usize,
}

const fn fp32() -> Precision {
    Precision::Fp32
}

/// Where a network lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// The outputs of a stage.
    Stage(PathBuf),
    /// An exported file.
    Exported {
        /// The file.
        file: PathBuf,
        /// The backbone's weights, where the file holds SPT units alone: an exported file, or a checkpoint with the
        /// official names.
        backbone: Option<PathBuf>,
    },
}

/// What a network is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The same without its SPT units.
    WithoutUnits,
    /// Another.
    Other(Weights),
}

/// A photograph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// What messages call it.
    pub name: String,
    /// Its file.
    pub from: PathBuf,
    /// Where the restored one goes.
    pub to: PathBuf,
    /// The file of its masks, for a network with SPT units.
    pub masks: Option<PathBuf>,
    /// Where 8-bit RGB pictures for a comparison go, as PNG.
    pub compare: Option<Compare>,
}

/// Pictures for a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The restored photograph.
    pub restored: PathBuf,
    /// The baseline, where there is one.
    pub baseline: Option<PathBuf>,
}

/// How large photographs are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tiles {
    /// Not at all where the whole fits into memory, else into tiles that do.
    #[default]
    Auto,
    /// Not at all.
    Whole,
    /// Into tiles of about this side in LQ pixels, without their surroundings.
    Side(u32),
}

/// The sides that tiles may have, LQ pixels.
pub const TILES: std::ops::RangeInclusive<u32> = 64..=4096;

/// The format of a restored photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Without losses.
    Png,
    /// With losses, of this quality, 1 to 100.
    Jpeg(u8),
    /// Without losses.
    Webp,
    /// Without losses, not compressed.
    Tiff,
}

impl Restoration {
    /// The work in the text of a file, or why there is none that can be done.
    pub fn decode(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version = serde_json::from_str(text).map_err(|e| files::reason(&e));
        let Version { format } = version?;
        if format != RESTORATION_FORMAT {
            return Err(format!(
                "its format is {format}, this worker reads {RESTORATION_FORMAT}"
            ));
        }
        serde_json::from_str(text).map_err(|e| files::reason(&e))
    }
}
