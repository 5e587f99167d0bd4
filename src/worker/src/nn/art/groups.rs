//! Which tokens attend to each other in ART: windows (dense) or equal places in an interval (sparse).
//! Unaware of attention itself.

use tch::Tensor;

/// The groups of an image of one size.
///
/// Where a side is no multiple, the official code pads and masks the padded keys with -1e6. Their weight is exactly 0
/// in float32, so here the groups at the right and the bottom are smaller instead: no mask, and no padded token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    layout: Layout,
    y: Side,
    x: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Neighbouring tokens: a coordinate is group · length + place.
    Dense,
    /// Tokens an interval apart: a coordinate is place · groups + group.
    Sparse,
}

/// How the coordinates of one side fall into groups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    pixels: i64,
    groups: i64,
    /// Places of the longest group.
    length: i64,
    runs: Vec<Run>,
}

/// Groups `start` to `start + count` have `length` places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: i64,
    count: i64,
    length: i64,
}

impl Groups {
    /// Windows of `window` × `window`, smaller at the right and the bottom.
    pub fn dense(height: i64, width: i64, window: i64) -> Self {
        let side = |pixels: i64| {
            let (whole, rest) = (pixels / window, pixels % window);
            Side::new(pixels, [(whole, window), (i64::from(rest > 0), rest)])
        };
        Self {
            layout: Layout::Dense,
            y: side(height),
            x: side(width),
        }
    }

    /// Tokens whose coordinates are equal modulo `interval`.
    pub fn sparse(height: i64, width: i64, interval: i64) -> Self {
        let side = |pixels: i64| {
            let interval = interval.min(pixels); // further groups would be empty
            let (length, longer) = (pixels / interval, pixels % interval);
            Side::new(pixels, [(longer, length + 1), (interval - longer, length)])
        };
        Self {
            layout: Layout::Sparse,
            y: side(height),
            x: side(width),
        }
    }

    /// `attend(tokens, h, w)` of every group, put back in place: (B, H, W, C) to the same.
    ///
    /// It is given (G, h · w, C), all groups of one size, row-major within each, and returns the same shape.
    pub fn map(&self, x: &Tensor, attend: &dyn Fn(&Tensor, i64, i64) -> Tensor) -> Tensor {
        let whole = self.split(x); // (B, Gy, Gx, Ly, Lx, C)
        let rows = self.y.runs.iter().map(|y| {
            let parts = self.x.runs.iter();
            joined(
                parts.map(|x| self.part(&whole, *y, *x, attend)).collect(),
                2,
            )
        });
        self.merge(&joined(rows.collect(), 1))
    }

    /// The groups of two runs, attended to and padded to the longest.
    fn part(
        &self,
        whole: &Tensor,
        y: Run,
        x: Run,
        attend: &dyn Fn(&Tensor, i64, i64) -> Tensor,
    ) -> Tensor {
        let (b, c) = (whole.size()[0], whole.size()[5]);
        let parts = [
            (1, y.start, y.count),
            (2, x.start, x.count),
            (3, 0, y.length),
            (4, 0, x.length),
        ];
        let tokens = parts.into_iter().fold(whole.shallow_clone(), cut).reshape([
            b * y.count * x.count,
            y.length * x.length,
            c,
        ]);
        let out = attend(&tokens, y.length, x.length);
        padded(
            out.view([b, y.count, x.count, y.length, x.length, c]),
            [
                0,
                0,
                0,
                self.x.length - x.length,
                0,
                self.y.length - y.length,
            ],
        )
    }

    /// (B, H, W, C) to (B, Gy, Gx, Ly, Lx, C), with zeros where a group is shorter.
    fn split(&self, x: &Tensor) -> Tensor {
        let (b, c) = (x.size()[0], x.size()[3]);
        let (y, w) = (&self.y, &self.x);
        let full = padded(x.shallow_clone(), [0, 0, 0, w.padding(), 0, y.padding()]);
        match self.layout {
            Layout::Dense => full
                .view([b, y.groups, y.length, w.groups, w.length, c])
                .permute([0, 1, 3, 2, 4, 5]),
            Layout::Sparse => full
                .view([b, y.length, y.groups, w.length, w.groups, c])
                .permute([0, 2, 4, 1, 3, 5]),
        }
    }

    /// The reverse of [`Self::split`].
    fn merge(&self, groups: &Tensor) -> Tensor {
        let (b, c) = (groups.size()[0], groups.size()[5]);
        let order = match self.layout {
            Layout::Dense => [0, 1, 3, 2, 4, 5],
            Layout::Sparse => [0, 3, 1, 4, 2, 5],
        };
        let whole = groups
            .permute(order)
            .reshape([b, self.y.padded(), self.x.padded(), c]);
        [(1, 0, self.y.pixels), (2, 0, self.x.pixels)]
            .into_iter()
            .fold(whole, cut)
    }
}

impl Side {
    /// Runs of (count, length), longest first; empty ones are left out.
    fn new(pixels: i64, runs: [(i64, i64); 2]) -> Self {
        let mut side = Self {
            pixels,
            groups: 0,
            length: 0,
            runs: Vec::new(),
        };
        for (count, length) in runs.into_iter().filter(|(count, _)| *count > 0) {
            side.runs.push(Run {
                start: side.groups,
                count,
                length,
            });
            side.groups += count;
            side.length = side.length.max(length);
        }
        side
    }

    fn padded(&self) -> i64 {
        self.groups * self.length
    }

    fn padding(&self) -> i64 {
        self.padded() - self.pixels
    }
}

/// `length` places of `x` from `start` along `dim`; all of them as they are, for the gradient of a part is written into
/// zeros of the whole's size.
fn cut(x: Tensor, (dim, start, length): (i64, i64, i64)) -> Tensor {
    if x.size()[dim as usize] == length {
        x
    } else {
        x.narrow(dim, start, length)
    }
}

/// `parts` along `dim`; a single one as it is.
fn joined(mut parts: Vec<Tensor>, dim: i64) -> Tensor {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Tensor::cat(&parts, dim)
        }
        None => Tensor::new(),
    }
}

/// `x` with zeros behind its last three dimensions, the last one first; `x` itself where there are none.
fn padded(x: Tensor, behind: [i64; 6]) -> Tensor {
    if behind == [0; 6] {
        x
    } else {
        x.constant_pad_nd(behind)
    }
}
