//! The dynamic position bias (`CrossFormer`): a small MLP of the offset between two tokens, one number a head.
//! Unaware of attention and of what a group of tokens is beyond its height and width.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tch::nn::Path;
use tch::{Kind, Tensor, no_grad};

use super::layers::{LayerNorm, Linear};
use crate::nn::precision;

/// The MLP, as `DynamicPosBias` of both official codes (without its residual form), and the biases last computed.
#[derive(Debug)]
pub struct PositionBias {
    proj: Linear,
    steps: [(LayerNorm, Linear); 3],
    kept: RefCell<BTreeMap<(i64, i64), Kept>>,
}

/// A bias, and the state of the weights that it was computed from.
#[derive(Debug)]
struct Kept {
    version: i64,
    bias: Tensor,
}

/// Most numbers of a bias that is kept: 4 MiB. One for a group of 362 tokens and 8 heads just fits.
const KEPT_NUMBERS: i64 = 1 << 20;
/// Most group sizes that are kept: the four that an image of one size can have, twice.
const KEPT_SIZES: usize = 8;

impl PositionBias {
    /// A bias for attention over `channels` channels in `heads` heads, at path `p`.
    ///
    /// Parameters `pos_proj`, `pos{1,2,3}.0` (norm) and `pos{1,2,3}.2`; ⌊⌊`channels` / 4⌋ / 4⌋ hidden channels.
    pub fn new(p: &Path, channels: i64, heads: i64) -> Self {
        let hidden = channels / 4 / 4;
        let step = |name: &str, outputs| {
            let p = p / name;
            let linear = Linear::new(&(&p / 2), hidden, outputs);
            (LayerNorm::new(&(&p / 0), hidden), linear)
        };
        Self {
            proj: Linear::new(&(p / "pos_proj"), 2, hidden),
            steps: [
                step("pos1", hidden),
                step("pos2", hidden),
                step("pos3", heads),
            ],
            kept: RefCell::default(),
        }
    }

    /// The bias (1, heads, N, N) between the N = `height` · `width` tokens of a group, in row-major order.
    ///
    /// Computed once for a size as long as no gradient is wanted for the MLP and its weights stay as they are.
    pub fn forward(&self, height: i64, width: i64) -> Tensor {
        if self.is_learning() {
            return self.compute(height, width);
        }
        let version = self.version();
        if let Some(kept) = self.kept.borrow().get(&(height, width))
            && kept.version == version
            && kept.bias.device() == self.proj.weight.device()
        {
            return kept.bias.shallow_clone();
        }
        let bias = no_grad(|| self.compute(height, width));
        self.keep((height, width), version, &bias);
        bias
    }

    fn keep(&self, size: (i64, i64), version: i64, bias: &Tensor) {
        if bias.numel() as i64 > KEPT_NUMBERS {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_SIZES {
            kept.clear();
        }
        let bias = bias.shallow_clone();
        kept.insert(size, Kept { version, bias });
    }

    /// Whether a gradient is wanted: a view of a trainable weight records one only outside `no_grad`.
    fn is_learning(&self) -> bool {
        self.parameters()
            .any(|param| param.view_as(param).requires_grad())
    }

    /// Grows with every change of a weight in place, such as loading or a step of training.
    fn version(&self) -> i64 {
        self.parameters().map(Tensor::internal_version).sum()
    }

    fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        let steps = self.steps.iter();
        self.proj.parameters().into_iter().chain(
            steps.flat_map(|(norm, linear)| {
                norm.parameters().into_iter().chain(linear.parameters())
            }),
        )
    }

    /// In float32, whatever other layers compute with: it is kept for both.
    fn compute(&self, height: i64, width: i64) -> Tensor {
        precision::full(|| self.compute_here(height, width))
    }

    fn compute_here(&self, height: i64, width: i64) -> Tensor {
        let (rows, columns) = (2 * height - 1, 2 * width - 1);
        let mut table = self.proj.forward(&self.offsets(height, width)); // (rows · columns, hidden)
        for (norm, linear) in &self.steps {
            table = linear.forward(&norm.forward(&table).relu());
        }
        let table = table.transpose(0, 1).contiguous(); // (heads, rows · columns)
        let heads = table.size()[0];
        // Entry (a, b) of a head's table is for the offset (height - 1 - a, width - 1 - b). With the first token's
        // coordinates counted from the far end, the entry for two tokens is at the sum of their coordinates.
        table
            .as_strided(
                [heads, height, width, height, width],
                [rows * columns, columns, 1, columns, 1],
                0,
            )
            .flip([1, 2])
            .reshape([1, heads, height * width, height * width])
    }

    /// All offsets (dy, dx), from the largest down, dy outermost, as ((2h-1)(2w-1), 2).
    fn offsets(&self, height: i64, width: i64) -> Tensor {
        let falling = |side: i64| {
            let options = (Kind::Float, self.proj.weight.device());
            Tensor::arange_start_step(side - 1, -side, -1, options)
        };
        Tensor::cartesian_prod(&[falling(height), falling(width)])
    }
}
