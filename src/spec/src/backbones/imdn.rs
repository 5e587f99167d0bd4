//! IMDN: the information multi-distillation network (Hui et al., 2019).
//! Unaware of weights and of how the network computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size::{Line, Size, Wrong};

/// IMDN's size; the defaults are the published network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Imdn {
    /// 2, 3 or 4.
    pub scale: u32,
    /// Channels.
    #[serde(default = "width")]
    pub width: u32,
    /// Blocks (IMDB1 …).
    #[serde(default = "blocks")]
    pub blocks: u32,
}

const fn width() -> u32 {
    64
}

const fn blocks() -> u32 {
    6
}

impl Size for Imdn {
    const NAME: &'static str = "imdn";
    const TITLE: &'static str = "IMDN";

    fn scale(&self) -> u32 {
        self.scale
    }

    fn blocks(&self) -> u32 {
        self.blocks
    }

    fn wrong(&self) -> Vec<Wrong> {
        let Self {
            scale,
            width,
            blocks,
        } = self;
        let mut wrong = Vec::new();
        if !(2..=4).contains(scale) {
            let message = format!("IMDN exists for the scales 2, 3 and 4, not {scale}");
            wrong.push(("scale", message));
        }
        if !width.is_multiple_of(16) || !(16..=512).contains(width) {
            let message = format!("the width {width} is not a multiple of 16 up to 512");
            wrong.push(("width", message));
        }
        if !(1..=32).contains(blocks) {
            wrong.push(("blocks", format!("{blocks} is not in 1..=32")));
        }
        wrong
    }

    fn lines(&self) -> Vec<Line> {
        let Self {
            scale,
            width,
            blocks,
        } = self;
        vec![
            ("scale", scale.to_string()),
            ("width", width.to_string()),
            ("blocks", blocks.to_string()),
        ]
    }
}
