//! Large images piece by piece with no step between the pieces: tiles that overlap, and weights that fade from one to the
//! next. Unaware of networks, of where pixels come from and of where they go.
//!
//! ```text
//!   a side in LQ pixels, cut at B:
//!
//!   ├──────────── input ───────────────┤
//!   ├──────── kept ────────┬─ context ─┤          kept: what of a piece is added up
//!                     ╲    B    ╱                 context: surroundings that it is computed with
//!                       ╲     ╱                   between B − fade and B + fade weights fall and rise: their sum is 1
//!                      ╱  ╲╱  ╲
//!            ├─ context ─┬──────── kept ────────┤
//!            ├──────────── input ───────────────┤
//! ```
//!
//! Rows of pieces are done from top to bottom, and rows of pixels handed on as soon as no further piece adds to them, so that
//! memory depends on the width of an image and not on its height.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::nn::host;

/// How images are cut. Lengths are LQ pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// A piece's side without what it overlaps; none keeps images whole.
    pub side: Option<i64>,
    /// Surroundings that a piece is computed with and that are not kept.
    pub context: i64,
    /// Pixels on either side of a cut over which one piece fades into the next.
    pub fade: i64,
    /// Pieces begin at multiples of this, and end there, too, or at the image's border.
    pub multiple: i64,
}

/// A piece along one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What the network is given.
    pub input: Range<i64>,
    /// What of its result is added up.
    pub kept: Range<i64>,
    /// Where the side is cut before it and behind it.
    cuts: [Option<i64>; 2],
}

impl Cut {
    /// The pieces of a side, in order.
    pub fn pieces(&self, side: i64) -> Vec<Piece> {
        let length = self.length(side);
        let count = (side + length - 1) / length;
        let piece = |at: i64| {
            let before = (at > 0).then_some(at * length);
            let behind = (at + 1 < count).then_some((at + 1) * length);
            let from = before.map_or(0, |cut| cut - self.fade);
            let to = behind.map_or(side, |cut| (cut + self.fade).min(side));
            let start = (from - self.context).max(0) / self.multiple * self.multiple;
            let end = next_multiple(to + self.context, self.multiple).min(side);
            Piece {
                input: start..end,
                kept: from..to,
                cuts: [before, behind],
            }
        };
        (0..count).map(piece).collect()
    }

    /// The distance of cuts: equal pieces, none longer than asked for but for rounding.
    fn length(&self, side: i64) -> i64 {
        let Some(wanted) = self.side else { return side };
        let count = (side + wanted - 1) / wanted;
        let least = (2 * self.fade).max(1);
        next_multiple(((side + count - 1) / count).max(least), self.multiple)
    }
}

fn next_multiple(side: i64, of: i64) -> i64 {
    (side + of - 1) / of * of
}

impl Piece {
    /// What each kept pixel of the result counts, or none where all count fully.
    fn weights(&self, fade: i64, scale: i64) -> Option<Tensor> {
        let [before, behind] = self.cuts;
        if before.is_none() && behind.is_none() {
            return None;
        }
        let places = (self.kept.start * scale..self.kept.end * scale).map(|at| at as f32 + 0.5);
        // How far a place is in the fade around a cut, from 0 to 1.
        let along = |place: f32, cut: i64| {
            let begin = ((cut - fade) * scale) as f32;
            ((place - begin) / (2 * fade * scale) as f32).clamp(0.0, 1.0)
        };
        let weight = |place: f32| {
            let rise = before.map_or(1.0, |cut| along(place, cut));
            let fall = behind.map_or(1.0, |cut| 1.0 - along(place, cut));
            rise * fall
        };
        let weights: Vec<f32> = places.map(weight).collect();
        Some(Tensor::from_slice(&weights))
    }

    /// The kept part of a piece's result along `dim`.
    fn kept(&self, result: &Tensor, dim: i64, scale: i64) -> Tensor {
        let skipped = (self.kept.start - self.input.start) * scale;
        let length = (self.kept.end - self.kept.start) * scale;
        result.narrow(dim, skipped, length)
    }
}

/// Restores an image of H × W pixels (`size`) piece by piece. `net` gives for the rows and columns of a piece its result (1,
/// C, sH, sW); `take` gets the finished rows (C, n, sW) on the CPU, from top to bottom. Stops at the first error of either.
pub fn blended<E>(
    size: (i64, i64),
    cut: &Cut,
    scale: i64,
    net: &mut dyn FnMut(&Piece, &Piece) -> Result<Tensor, E>,
    take: &mut dyn FnMut(&Tensor) -> Result<(), E>,
) -> Result<(), E> {
    let (rows, columns) = (cut.pieces(size.0), cut.pieces(size.1));
    // What the row of pieces before adds to the first rows of the next.
    let mut left: Option<Tensor> = None;
    for (at, row) in rows.iter().enumerate() {
        let mut line = line_of(row, &columns, size.1, cut.fade, scale, net)?; // (C, n, sW)
        if let Some(weights) = row.weights(cut.fade, scale) {
            let _ = line.g_mul_(&weights.view([1, -1, 1]));
        }
        if let Some(left) = &left {
            let _ = line.narrow(1, 0, left.size()[1]).g_add_(left);
        }
        let next = rows.get(at + 1).map_or(row.kept.end, |n| n.kept.start);
        let finished = (next - row.kept.start) * scale;
        take(&line.narrow(1, 0, finished))?;
        let rest = line.size()[1] - finished;
        left = (rest > 0).then(|| line.narrow(1, finished, rest).copy());
    }
    Ok(())
}

/// A row of pieces over the whole width, (C, n, sW), not yet weighted along its height.
fn line_of<E>(
    row: &Piece,
    columns: &[Piece],
    width: i64,
    fade: i64,
    scale: i64,
    net: &mut dyn FnMut(&Piece, &Piece) -> Result<Tensor, E>,
) -> Result<Tensor, E> {
    let mut line: Option<Tensor> = None;
    for column in columns {
        let y = net(row, column)?.squeeze_dim(0); // (C, h, w)
        let y = column.kept(&row.kept(&y, 1, scale), 2, scale);
        let y = host::tensor(&y).to_kind(Kind::Float);
        let Some(weights) = column.weights(fade, scale) else {
            return Ok(y.copy());
        };
        let line = line.get_or_insert_with(|| {
            Tensor::zeros(
                [y.size()[0], y.size()[1], width * scale],
                (Kind::Float, Device::Cpu),
            )
        });
        let mut place = line.narrow(2, column.kept.start * scale, y.size()[2]);
        let _ = place.g_add_(&(y * weights.view([1, 1, -1])));
    }
    Ok(line.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(side: i64) -> Cut {
        Cut {
            side: Some(side),
            context: 5,
            fade: 4,
            multiple: 4,
        }
    }

    /// What comes of an image when a piece is changed by `net`.
    fn all(x: &Tensor, cut: &Cut, scale: i64, net: &dyn Fn(Tensor) -> Tensor) -> Tensor {
        let (h, w) = (x.size()[2], x.size()[3]);
        let mut rows = Vec::new();
        blended::<()>(
            (h, w),
            cut,
            scale,
            &mut |row, column| {
                let part =
                    |x: &Tensor, dim, at: &Range<i64>| x.narrow(dim, at.start, at.end - at.start);
                Ok(net(part(&part(x, 2, &row.input), 3, &column.input)))
            },
            &mut |finished| {
                rows.push(finished.copy());
                Ok(())
            },
        )
        .unwrap();
        Tensor::cat(&rows, 1).unsqueeze(0)
    }

    #[test]
    fn pieces_cover_a_side_and_lie_within_it() {
        for side in 1..200 {
            for wanted in [8, 16, 33, 64] {
                let pieces = cut(wanted).pieces(side);
                let mut sum = vec![0.0_f32; side as usize];
                for piece in &pieces {
                    assert!(piece.input.start >= 0 && piece.input.end <= side, "{side}");
                    assert!(piece.input.start <= piece.kept.start, "{side} {wanted}");
                    assert!(piece.kept.end <= piece.input.end, "{side} {wanted}");
                    assert_eq!(piece.input.start % 4, 0);
                    let weights = piece.weights(4, 1);
                    let weights: Vec<f32> =
                        weights.map_or(vec![1.0; side as usize], |w| w.try_into().unwrap());
                    let places = piece.kept.start..piece.kept.end;
                    for (at, weight) in places.zip(weights) {
                        sum[at as usize] += weight;
                    }
                }
                let is_whole = sum.iter().all(|v| (v - 1.0).abs() < 1e-6);
                assert!(is_whole, "{side} {wanted} {pieces:?}\n{sum:?}");
            }
        }
    }

    #[test]
    fn what_looks_no_further_than_the_context_gives_the_same_in_pieces() {
        tch::manual_seed(1);
        let kernel = Tensor::randn([3, 3, 7, 7], (Kind::Float, Device::Cpu));
        let net = |x: Tensor| {
            let y = x.conv2d(&kernel, None::<&Tensor>, 1, 3, 1, 1);
            y.upsample_nearest2d([y.size()[2] * 2, y.size()[3] * 2], None, None)
        };
        for (h, w) in [(61, 90), (16, 200), (1, 1), (100, 7)] {
            let x = Tensor::randn([1, 3, h, w], (Kind::Float, Device::Cpu));
            let whole = net(x.shallow_clone());
            for side in [None, Some(16), Some(40)] {
                let cut = Cut { side, ..cut(16) };
                let pieces = all(&x, &cut, 2, &net);
                assert_eq!(pieces.size(), whole.size());
                let off = f64::try_from((pieces - &whole).abs().max()).unwrap();
                assert!(off < 1e-4, "{h}×{w} {side:?}: {off}");
                let is_equal = off == 0.0;
                assert!(side.is_some() || is_equal);
            }
        }
    }

    #[test]
    fn pieces_that_differ_fade_into_each_other() {
        let x = Tensor::zeros([1, 3, 8, 96], (Kind::Float, Device::Cpu));
        let count = std::cell::Cell::new(0.0);
        // Each piece is one brighter than the one before.
        let net = |x: Tensor| {
            count.set(count.get() + 1.0);
            x + count.get()
        };
        let y = all(&x, &cut(32), 1, &net);
        let row: Vec<f32> = y.select(2, 0).select(1, 0).view(-1).try_into().unwrap();
        let steps = row.windows(2).map(|p| (p[1] - p[0]).abs());
        let most = steps.fold(0.0, f32::max);
        assert!((0.12..0.13).contains(&most), "an eighth: {most}");
        assert_eq!((row[0], row[95]), (1.0, 3.0));
    }
}
