//! What a backbone is to everything around it: a network whose blocks can be reached from outside.
//! Unaware of which backbones there are.

use tch::Tensor;

use super::tiling::{Border, Overlap};

/// What takes the output of block `i` (0-based), (B, C, H, W), and gives what replaces it everywhere downstream.
pub type AfterBlock<'a> = dyn FnMut(usize, Tensor) -> Tensor + 'a;

/// A restoration network whose blocks can be reached from outside.
pub trait Network: std::fmt::Debug {
    /// Enlargement of each side: 1 for denoising.
    fn scale(&self) -> i64;

    /// Channels C of a block's output, which SPT units see.
    fn channels(&self) -> i64;

    /// Number of blocks: the places for SPT units (the paper's `B_1`…`B_n`).
    fn blocks(&self) -> usize;

    /// H and W of an image must be multiples of this.
    fn multiple(&self) -> i64 {
        1
    }

    /// Whether its features have their channels innermost in memory, which suits tokens.
    fn channels_last(&self) -> bool {
        false
    }

    /// From how far away, in pixels, a pixel of the image can change another; none where from everywhere.
    fn reach(&self) -> Option<i64>;

    /// About the most memory that an image of H × W takes on its way through, in bytes; measured, and rounded up.
    fn memory(&self, height: i64, width: i64) -> u64;

    /// How its official test code cuts images; where it has none, ART's does.
    fn official_tiling(&self) -> OfficialTiling {
        OfficialTiling {
            side: None,
            border: Border::Reflect,
            overlap: Overlap::Fraction(10),
        }
    }

    /// The restored image of `x` (B, 3, H, W), RGB in [0, 1], as (B, 3, sH, sW), not clamped.
    ///
    /// H and W must be multiples of [`Self::multiple`].
    fn forward(&self, x: &Tensor, after_block: &mut AfterBlock<'_>) -> Tensor;
}

/// Bytes of so many numbers in float32.
pub(super) const fn floats(count: i64) -> u64 {
    (count.unsigned_abs()).saturating_mul(4)
}

/// How an official test code cuts large images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfficialTiling {
    /// Pixels a side for which one part is added; none keeps images whole.
    pub side: Option<i64>,
    /// What an image is continued with.
    pub border: Border,
    /// How far a part reaches into its neighbours.
    pub overlap: Overlap,
}
