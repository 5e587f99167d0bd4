//! The rectangle windows of CAT's axial blocks: vertical for one half of the channels, horizontal for the other.
//! Unaware of weights.

use tch::{Kind, Tensor};

use crate::nn::transformer::attend;

/// One direction's windows over an image of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    height: i64,
    width: i64,
    /// The dimension of (B, H, W, …) along which windows are shifted: W for vertical windows, H for horizontal ones.
    across: i64,
    shift: i64,
}

/// Added to the scores of tokens that only the cyclic shift made neighbours.
const APART: f64 = -100.0;

impl Windows {
    /// Windows of the image's full height and `split` columns.
    pub fn vertical(height: i64, split: i64, shift: i64) -> Self {
        Self {
            height,
            width: split,
            across: 2,
            shift,
        }
    }

    /// Windows of `split` rows and the image's full width.
    pub fn horizontal(width: i64, split: i64, shift: i64) -> Self {
        Self {
            height: split,
            width,
            across: 1,
            shift,
        }
    }

    /// Tokens along and across each window: (height, width).
    pub fn size(&self) -> (i64, i64) {
        (self.height, self.width)
    }

    /// Attention within each window: `qkv` (B, H, W, 3, heads, d) and `bias` (1, heads, N, N) to (B, H, W, heads · d).
    ///
    /// H and W must be multiples of the window's.
    pub fn attend(&self, qkv: &Tensor, bias: &Tensor) -> Tensor {
        let size = qkv.size();
        let (b, h, w) = (size[0], size[1], size[2]);
        let windows = self.split(&self.roll(qkv, -self.shift)); // (3, B, windows, heads, N, d)
        let out = self.within(&windows, bias); // (B, windows, N, heads · d)
        let merged = out
            .view([
                b,
                h / self.height,
                w / self.width,
                self.height,
                self.width,
                -1,
            ])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape([b, h, w, -1]);
        self.roll(&merged, self.shift)
    }

    fn roll(&self, x: &Tensor, by: i64) -> Tensor {
        if self.shift == 0 {
            x.shallow_clone()
        } else {
            x.roll([by], [self.across])
        }
    }

    fn split(&self, qkv: &Tensor) -> Tensor {
        let size = qkv.size();
        let (b, h, w, heads, d) = (size[0], size[1], size[2], size[4], size[5]);
        let (rows, columns) = (h / self.height, w / self.width);
        qkv.reshape([b, rows, self.height, columns, self.width, 3, heads, d])
            .permute([5, 0, 1, 3, 6, 2, 4, 7])
            .reshape([3, b, rows * columns, heads, self.height * self.width, d])
    }

    /// All windows alike; when shifted, the last one, which holds both ends of the image, with its mask.
    fn within(&self, windows: &Tensor, bias: &Tensor) -> Tensor {
        if self.shift == 0 {
            return together(windows, bias);
        }
        let last = windows.size()[2] - 1;
        let masked = bias + self.mask(bias);
        let end = together(&windows.narrow(2, last, 1), &masked);
        if last == 0 {
            return end;
        }
        Tensor::cat(&[together(&windows.narrow(2, 0, last), bias), end], 1)
    }

    /// (N, N): 0 between tokens of the same end of the image, -100 between those of different ends.
    fn mask(&self, like: &Tensor) -> Tensor {
        let options = (Kind::Int64, like.device());
        let tokens = Tensor::arange(self.height * self.width, options); // row-major within the window
        let (place, split) = match self.across {
            2 => (tokens.remainder(self.width), self.width),
            _ => (tokens.divide_scalar_mode(self.width, "floor"), self.height),
        };
        let wrapped = place.ge(split - self.shift); // (N)
        wrapped
            .unsqueeze(1)
            .ne_tensor(&wrapped.unsqueeze(0))
            .to_kind(like.kind())
            * APART
    }
}

/// (3, B, windows, heads, N, d) to (B, windows, N, heads · d).
fn together(windows: &Tensor, bias: &Tensor) -> Tensor {
    let (b, count) = (windows.size()[1], windows.size()[2]);
    attend(&windows.flatten(1, 2), bias).unflatten(0, [b, count])
}
