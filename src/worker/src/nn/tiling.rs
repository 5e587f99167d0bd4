//! Restoring large images piece by piece, and images whose sides a network cannot take: padding, tiles, pasting.
//! Unaware of networks beyond the function that restores a piece.

use tch::{Kind, Tensor};

/// A side is cut into ⌊side / 200⌋ + 1 parts (`basicsr/models/art_model.py`, `test`).
pub const OFFICIAL_SIDE: i64 = 200;

/// What continues an image at its right and bottom border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Mirrored about the last pixel, which is not repeated.
    Reflect,
    /// Mirrored behind the last pixel, which is repeated.
    Symmetric,
}

/// How a network wants its images cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Pixels a side for which one part is added; none keeps images whole.
    pub side: Option<i64>,
    /// The sides of each part are multiples of this.
    pub multiple: i64,
    /// What the image is continued with.
    pub border: Border,
    /// How far a part reaches into its neighbours.
    pub overlap: Overlap,
}

/// How far a part reaches into its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// This part of its own side: 10 for a tenth, rounded down.
    Fraction(i64),
    /// Pixels.
    Pixels(i64),
}

/// Restores `x` (B, C, H, W) by `rule` with `net`, which enlarges by `scale`, to (B, C', sH, sW). Stops at its first error.
///
/// `x` may carry masks behind its image channels: all channels are cut and continued alike.
pub fn tiled<E>(
    x: &Tensor,
    rule: &Rule,
    scale: i64,
    net: &mut dyn FnMut(&Tensor) -> Result<Tensor, E>,
) -> Result<Tensor, E> {
    let (h, w) = (x.size()[2], x.size()[3]);
    let (rows, columns) = (rule.cut(h), rule.cut(w));
    let x = extend(x, rows.padded, columns.padded, rule.border);
    let mut lines = Vec::new();
    for row in rows.parts() {
        let mut pieces = Vec::new();
        for column in columns.parts() {
            let piece = column.of(&row.of(&x, 2), 3);
            let y = row.kept(&net(&piece)?, 2, rows.side, scale);
            pieces.push(column.kept(&y, 3, columns.side, scale));
        }
        lines.push(Tensor::cat(&pieces, 3));
    }
    let y = Tensor::cat(&lines, 2);
    Ok(y.narrow(2, 0, h * scale).narrow(3, 0, w * scale))
}

impl Rule {
    fn cut(&self, side: i64) -> Cut {
        let parts = self.side.map_or(1, |whole| side / whole.max(1) + 1);
        let padded = next_multiple(side, parts * self.multiple);
        let length = padded / parts;
        let shave = match self.overlap {
            Overlap::Fraction(n) => length / n,
            Overlap::Pixels(n) => n.min(length),
        };
        Cut {
            padded,
            side: length,
            shave,
        }
    }
}

/// One side, cut.
struct Cut {
    padded: i64,
    /// Pixels of a part without its overlap.
    side: i64,
    shave: i64,
}

/// A part with its overlap: where it starts, how long it is, and how much of its beginning is a neighbour's.
struct Part {
    start: i64,
    length: i64,
    skip: i64,
}

impl Part {
    /// This part of `x` along `dim`.
    fn of(&self, x: &Tensor, dim: i64) -> Tensor {
        x.narrow(dim, self.start, self.length)
    }

    /// What is kept along `dim` of the part restored: `side` LQ pixels behind the overlap.
    fn kept(&self, y: &Tensor, dim: i64, side: i64, scale: i64) -> Tensor {
        y.narrow(dim, self.skip * scale, side * scale)
    }
}

impl Cut {
    fn parts(&self) -> impl Iterator<Item = Part> {
        (0..self.padded / self.side).map(|i| {
            let skip = if i == 0 { 0 } else { self.shave };
            let start = i * self.side - skip;
            let end = ((i + 1) * self.side + self.shave).min(self.padded);
            Part {
                start,
                length: end - start,
                skip,
            }
        })
    }
}

/// `x` (B, C, H, W), continued symmetrically at the right and the bottom to sides that are multiples of `multiple`.
pub fn fit(x: &Tensor, multiple: i64) -> Tensor {
    let side = |dim: usize| next_multiple(x.size()[dim], multiple);
    extend(x, side(2), side(3), Border::Symmetric)
}

fn next_multiple(side: i64, of: i64) -> i64 {
    (side + of - 1) / of * of
}

/// `x` (B, C, H, W) continued to `height` and `width`, which are no less than its own.
fn extend(x: &Tensor, height: i64, width: i64, border: Border) -> Tensor {
    let rows = extend_side(x, 2, height, border);
    extend_side(&rows, 3, width, border)
}

fn extend_side(x: &Tensor, dim: i64, to: i64, border: Border) -> Tensor {
    let side = x.size()[dim as usize];
    if side == to {
        return x.shallow_clone();
    }
    let places = Tensor::arange(to, (Kind::Int64, x.device()));
    x.index_select(dim, &mirrored(&places, side, border))
}

/// The pixel of a side that stands at each of `places`, mirrored as often as it takes.
fn mirrored(places: &Tensor, side: i64, border: Border) -> Tensor {
    let (period, far) = match border {
        Border::Reflect => ((2 * side - 2).max(1), 2 * side - 2),
        Border::Symmetric => (2 * side, 2 * side - 1),
    };
    let within = places.remainder(period);
    within.minimum(&(far - &within))
}
