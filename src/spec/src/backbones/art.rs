//! ART: the attention retractable transformer (Zhang et al., 2023).
//! Unaware of weights and of how the network computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size::{Line, Size, Wrong, spaced};
use super::transformer::{common, depths, heads, list, mlp_ratio, spread, width};

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

const fn window() -> u32 {
    8
}

impl Art {
    /// The interval of each group. Where the user gives none: 4, and for denoising 16, 12 and 8, each for a third of
    /// the groups.
    pub fn interval(&self) -> Vec<u32> {
        let published = if self.scale == 1 { [16, 12, 8] } else { [4; 3] };
        let spread = || spread(&published, self.depths.len());
        self.interval.clone().unwrap_or_else(spread)
    }
}

impl Size for Art {
    const NAME: &'static str = "art";
    const TITLE: &'static str = "ART";

    fn scale(&self) -> u32 {
        self.scale
    }

    fn blocks(&self) -> u32 {
        self.depths.len() as u32
    }

    fn wrong(&self) -> Vec<Wrong> {
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

    fn lines(&self) -> Vec<Line> {
        let Self {
            scale,
            width,
            depths,
            heads,
            interval: _,
            window,
            mlp_ratio,
        } = self;
        vec![
            ("scale", scale.to_string()),
            ("width", width.to_string()),
            ("depths", spaced(depths)),
            ("heads", heads.to_string()),
            ("interval", spaced(&self.interval())),
            ("window", window.to_string()),
            ("mlp_ratio", mlp_ratio.to_string()),
        ]
    }
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
}
