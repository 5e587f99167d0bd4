//! Colour `DnCNN`, a denoiser (Zhang et al., 2017), with six equal groups of convolutions as its blocks.
//! Unaware of weights and of how the network computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size::{Line, Size, Wrong};

/// `DnCNN`'s size; the defaults are the published colour network, the same for σ 15, 25 and 50.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dncnn {
    /// Channels between its first and its last convolution.
    #[serde(default = "width")]
    pub width: u32,
    /// Convolutions in all: the first, six equal groups, the last.
    #[serde(default = "depth")]
    pub depth: u32,
}

const fn width() -> u32 {
    64
}

const fn depth() -> u32 {
    20
}

/// Groups of convolutions after which SPT units stand.
const GROUPS: u32 = 6;

impl Size for Dncnn {
    const NAME: &'static str = "dncnn";
    const TITLE: &'static str = "DnCNN";

    fn scale(&self) -> u32 {
        1
    }

    fn blocks(&self) -> u32 {
        GROUPS
    }

    fn wrong(&self) -> Vec<Wrong> {
        let Self { width, depth } = self;
        let mut wrong = Vec::new();
        if !(1..=1024).contains(width) {
            wrong.push(("width", format!("{width} is not in 1..=1024")));
        }
        if !(8..=98).contains(depth) || !(depth - 2).is_multiple_of(GROUPS) {
            let message = format!(
                "{depth} convolutions are not a first, a last and {GROUPS} equal groups (8, 14, 20, … 98)"
            );
            wrong.push(("depth", message));
        }
        wrong
    }

    fn lines(&self) -> Vec<Line> {
        let Self { width, depth } = self;
        vec![("width", width.to_string()), ("depth", depth.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_convolutions_are_two_and_six_equal_groups() {
        let fields = |width, depth| {
            let wrong = Dncnn { width, depth }.wrong();
            wrong.into_iter().map(|(f, _)| f).collect::<Vec<_>>()
        };
        assert!(fields(64, 20).is_empty());
        assert!(fields(1, 8).is_empty());
        assert_eq!(fields(0, 19), ["width", "depth"]);
        for depth in [0, 1, 2, 7, 104] {
            assert_eq!(fields(64, depth), ["depth"], "{depth}");
        }
    }
}
