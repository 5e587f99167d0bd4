//! The sizes of ART and CAT: what a pipeline may say, the published network as default, and what is out of range.
//! Unaware of weights and of how the networks compute.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ART's size; the defaults are the published network of a scale (for `scale: 1`, colour denoising).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Art {
    /// 2, 3 or 4; 1 for denoising.
    pub scale: u32,
    /// Channels, a multiple of `heads`.
    #[serde(default = "width")]
    pub width: u32,
    /// Transformer blocks of each residual group.
    #[serde(default = "depths")]
    pub depths: Vec<u32>,
    /// Attention heads.
    #[serde(default = "heads")]
    pub heads: u32,
    /// Interval of the sparse attention in each group, in pixels; see [`Art::interval`] for where it is absent.
    #[serde(default)]
    pub interval: Option<Vec<u32>>,
    /// Side of the windows of the dense attention, in pixels.
    #[serde(default = "window")]
    pub window: u32,
    /// Hidden channels of the MLPs relative to `width`; 2 with `interval` 8 is ART-S.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: f64,
}

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

const fn width() -> u32 {
    180
}

fn depths() -> Vec<u32> {
    vec![6; 6]
}

const fn heads() -> u32 {
    6
}

const fn window() -> u32 {
    8
}

const fn mlp_ratio() -> f64 {
    4.0
}

/// A field that is out of range, and why.
pub type Wrong = (&'static str, String);

impl Art {
    /// The interval of each group. Where the user gives none: 4, and for denoising 16, 12 and 8, each for a third of
    /// the groups.
    pub fn interval(&self) -> Vec<u32> {
        let published = if self.scale == 1 { [16, 12, 8] } else { [4; 3] };
        let spread = || spread(&published, self.depths.len());
        self.interval.clone().unwrap_or_else(spread)
    }

    /// What is out of range.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = common(self.width, &self.depths, self.heads, self.mlp_ratio);
        if !(1..=4).contains(&self.scale) {
            wrong.push((
                "scale",
                format!(
                    "ART exists for the scales 1 (denoising) to 4, not {}",
                    self.scale
                ),
            ));
        }
        if !(1..=64).contains(&self.window) {
            wrong.push(("window", format!("{} is not in 1..=64", self.window)));
        }
        wrong.extend(list("interval", &self.interval(), self.depths.len(), 256));
        wrong
    }
}

impl Cat {
    /// The split size of each group. Where the user gives none: 2 in the first half of the groups, 4 in the second.
    pub fn split(&self) -> Vec<u32> {
        let spread = || spread(&[2, 4], self.depths.len());
        self.split.clone().unwrap_or_else(spread)
    }

    /// What is out of range.
    pub fn wrong(&self) -> Vec<Wrong> {
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
}

/// `values` over `groups`, each for an equal share of them.
fn spread(values: &[u32], groups: usize) -> Vec<u32> {
    (0..groups)
        .map(|i| values[i * values.len() / groups])
        .collect()
}

fn common(width: u32, depths: &[u32], heads: u32, mlp_ratio: f64) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if !(1..=64).contains(&heads) {
        wrong.push(("heads", format!("{heads} is not in 1..=64")));
    } else if !width.is_multiple_of(heads) || !(32..=1024).contains(&width) {
        wrong.push((
            "width",
            format!("the width {width} is not a multiple of the {heads} heads in 32..=1024"),
        ));
    }
    if !(1..=32).contains(&depths.len()) || depths.iter().any(|d| !(1..=64).contains(d)) {
        wrong.push(("depths", "1 to 32 groups of 1 to 64 blocks each".into()));
    }
    if !(0.1..=16.0).contains(&mlp_ratio) {
        wrong.push(("mlp_ratio", format!("{mlp_ratio} is not in 0.1..=16")));
    }
    wrong
}

fn list(field: &'static str, values: &[u32], groups: usize, most: u32) -> Option<Wrong> {
    let message = if values.len() != groups {
        format!("{} values for {groups} groups", values.len())
    } else if values.iter().any(|v| !(1..=most).contains(v)) {
        format!("each value must be in 1..={most}")
    } else {
        return None;
    };
    Some((field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn art(scale: u32, groups: usize) -> Art {
        Art {
            scale,
            width: width(),
            depths: vec![6; groups],
            heads: heads(),
            interval: None,
            window: window(),
            mlp_ratio: mlp_ratio(),
        }
    }

    #[test]
    fn absent_intervals_are_the_published_ones() {
        assert_eq!(art(4, 6).interval(), [4; 6]);
        assert_eq!(art(1, 6).interval(), [16, 16, 12, 12, 8, 8]);
        assert_eq!(art(1, 2).interval(), [16, 12]);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let fields = |art: &Art| art.wrong().into_iter().map(|(f, _)| f).collect::<Vec<_>>();
        assert!(fields(&art(1, 6)).is_empty());
        let bad = Art {
            width: 100,
            interval: Some(vec![4; 5]),
            mlp_ratio: f64::NAN,
            window: 0,
            ..art(5, 6)
        };
        assert_eq!(
            fields(&bad),
            ["width", "mlp_ratio", "scale", "window", "interval"]
        );
        let none = Art {
            heads: 0,
            ..art(2, 0)
        };
        assert_eq!(fields(&none), ["heads", "depths"]);
    }

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
