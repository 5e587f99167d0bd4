//! Networks and their sizes; `pretrained`: weights that others trained.
//! Unaware of weights and of how a network computes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backbones::{Art, Cat};

/// A network and its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Information multi-distillation network (Hui et al., 2019).
    Imdn(Imdn),
    /// Attention retractable transformer (Zhang et al., 2023).
    Art(Art),
    /// Cross aggregation transformer (Chen et al., 2022).
    Cat(Cat),
}

impl Architecture {
    /// The name in YAML.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Imdn(_) => "imdn",
            Self::Art(_) => "art",
            Self::Cat(_) => "cat",
        }
    }

    /// The name in tables.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Imdn(_) => "IMDN",
            Self::Art(_) => "ART",
            Self::Cat(_) => "CAT",
        }
    }

    /// HR pixels per LQ pixel along a side.
    pub const fn scale(&self) -> u32 {
        match self {
            Self::Imdn(imdn) => imdn.scale,
            Self::Art(art) => art.scale,
            Self::Cat(cat) => cat.scale,
        }
    }

    /// Blocks that an SPT unit can follow.
    pub const fn blocks(&self) -> u32 {
        match self {
            Self::Imdn(imdn) => imdn.blocks,
            Self::Art(art) => art.depths.len() as u32,
            Self::Cat(cat) => cat.depths.len() as u32,
        }
    }
}

/// IMDN's size; the defaults are the published network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Imdn {
    /// 2, 3 or 4.
    pub scale: u32,
    /// Channels.
    #[serde(default = "imdn_width")]
    pub width: u32,
    /// Blocks (IMDB1 …).
    #[serde(default = "imdn_blocks")]
    pub blocks: u32,
}

const fn imdn_width() -> u32 {
    64
}

const fn imdn_blocks() -> u32 {
    6
}

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
