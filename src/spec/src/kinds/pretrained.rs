//! `pretrained`: weights that others trained.
//! Unaware of the file's format and of how a network computes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbones::Architecture;

/// `pretrained`: weights that others trained, by the official key names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// The network they belong to.
    pub backbone: Architecture,
    /// A `.pth` or `.safetensors` file.
    pub file: PathBuf,
    /// The entry of the file behind which the network stands (`params`, `state_dict.net_g`), where several copies of it
    /// are there. Without it an averaged one (EMA) is taken before the others, and the worker says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}
