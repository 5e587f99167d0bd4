//! CAT with axial blocks: the cross aggregation transformer (Chen et al., 2022).
//! Unaware of weights and of how the network computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size::{Line, Size, Wrong, spaced};
use super::transformer::{common, depths, heads, list, mlp_ratio, spread, width};

/// CAT's size, with axial blocks; the defaults are CAT-A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cat {
    /// 2, 3 or 4.
    pub scale: u32,
    /// Channels, a multiple of `heads`.
    #[serde(default = "width")]
    pub width: u32,
    /// Transformer blocks of each residual group.
    #[serde(default = "depths")]
    pub depths: Vec<u32>,
    /// Attention heads, half of them for each direction; even.
    #[serde(default = "heads")]
    pub heads: u32,
    /// Short side of the windows of each group, in pixels (all 4 is CAT-A-2); see [`Cat::split`] for where it is absent.
    #[serde(default)]
    pub split: Option<Vec<u32>>,
    /// Hidden channels of the MLPs relative to `width`.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: f64,
}

impl Cat {
    /// The split size of each group. Where the user gives none: 2 in the first half of the groups, 4 in the second.
    pub fn split(&self) -> Vec<u32> {
        let spread = || spread(&[2, 4], self.depths.len());
        self.split.clone().unwrap_or_else(spread)
    }
}

impl Size for Cat {
    const NAME: &'static str = "cat";
    const TITLE: &'static str = "CAT";

    fn scale(&self) -> u32 {
        self.scale
    }

    fn blocks(&self) -> u32 {
        self.depths.len() as u32
    }

    fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = common(self.width, &self.depths, self.heads, self.mlp_ratio);
        if !(2..=4).contains(&self.scale) {
            wrong.push((
                "scale",
                format!("CAT exists for the scales 2, 3 and 4, not {}", self.scale),
            ));
        }
        if !self.heads.is_multiple_of(2) {
            wrong.push((
                "heads",
                format!(
                    "{} heads cannot be halved between the two directions",
                    self.heads
                ),
            ));
        }
        wrong.extend(list("split", &self.split(), self.depths.len(), 16));
        wrong
    }

    fn lines(&self) -> Vec<Line> {
        let Self {
            scale,
            width,
            depths,
            heads,
            split: _,
            mlp_ratio,
        } = self;
        vec![
            ("scale", scale.to_string()),
            ("width", width.to_string()),
            ("depths", spaced(depths)),
            ("heads", heads.to_string()),
            ("split", spaced(&self.split())),
            ("mlp_ratio", mlp_ratio.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cat_splits_its_heads() {
        let cat = Cat {
            scale: 2,
            width: 90,
            depths: vec![2; 4],
            heads: 3,
            split: None,
            mlp_ratio: 2.0,
        };
        assert_eq!(cat.split(), [2, 2, 4, 4]);
        assert_eq!(cat.wrong()[0].0, "heads");
    }
}
