//! The patches of an iteration as bytes: cut out of images and masks, and turned.
//! Unaware of tensors and devices, so that any thread can make them.

use pixels::{Span, Window};
use spec::kinds::Degrade;

use super::patches::{Patch, Sampler, Turn, normals};
use super::windows::{Scratch, Which, Windows};
use crate::work::WorkError;

/// What one iteration trains on, not yet in tensors.
pub(super) struct Raw {
    /// (B, 3, s·p, s·p).
    pub hr: Vec<u8>,
    /// (B, 3, p, p); absent with noise, where it is `hr` and noise.
    pub lq: Option<Vec<u8>>,
    /// (B, `N_c`, p, p) of 0 and 1, or (B, p, p, `N_c`), for networks with SPT units.
    pub masks: Option<Vec<u8>>,
    /// (B, 3, p, p), standard normal, with noise.
    pub noise: Option<Vec<f32>>,
}

/// Where the patches of a training come from.
pub(super) struct Cutter {
    /// Images and masks.
    pub windows: Windows,
    /// Which patches.
    pub sampler: Sampler,
    /// HR pixels for each LQ pixel, each way.
    pub scale: usize,
    /// Mask channels, `N_c`.
    pub slots: usize,
    /// Whether the masks of a pixel lie beside each other.
    pub channels_last: bool,
}

impl Cutter {
    /// The patches of `iteration`, counted from 0.
    pub fn raw(&self, iteration: u64) -> Result<Raw, WorkError> {
        let patches = self.sampler.patches(iteration);
        let is_sr = matches!(self.windows.pairs.list.degrade, Degrade::Sr(_));
        let hr_side = self.sampler.side * self.scale;
        for patch in &patches {
            self.windows
                .prefetch(patch.image, Which::Hr, self.window(patch, self.scale));
            if is_sr {
                self.windows
                    .prefetch(patch.image, Which::Lq, self.window(patch, 1));
            }
        }
        let mut raw = Raw {
            hr: vec![0; patches.len() * 3 * hr_side * hr_side],
            lq: is_sr.then(|| vec![0; patches.len() * self.plane() * 3]),
            masks: (self.windows.has_masks())
                .then(|| vec![0; patches.len() * self.plane() * self.slots]),
            noise: (!is_sr).then(|| self.noise(iteration, patches.len())),
        };
        let (mut scratch, mut cut) = (Scratch::default(), Vec::new());
        for (n, patch) in patches.iter().enumerate() {
            self.cut(
                patch,
                Which::Hr,
                part(&mut raw.hr, n, patches.len()),
                &mut scratch,
                &mut cut,
            )?;
            if let Some(lq) = &mut raw.lq {
                self.cut(
                    patch,
                    Which::Lq,
                    part(lq, n, patches.len()),
                    &mut scratch,
                    &mut cut,
                )?;
            }
            if let Some(masks) = &mut raw.masks {
                self.masks(patch, part(masks, n, patches.len()), &mut scratch)?;
            }
        }
        Ok(raw)
    }

    /// Pixels of an LQ patch.
    const fn plane(&self) -> usize {
        self.sampler.side * self.sampler.side
    }

    fn window(&self, patch: &Patch, scale: usize) -> Window {
        let side = self.sampler.side * scale;
        Window {
            x: patch.x * scale,
            y: patch.y * scale,
            width: side,
            height: side,
        }
    }

    /// Noise is drawn anew each iteration.
    fn noise(&self, iteration: u64, patches: usize) -> Vec<f32> {
        normals(
            patches * 3 * self.plane(),
            &mut self.sampler.noise(iteration),
        )
    }

    fn cut(
        &self,
        patch: &Patch,
        which: Which,
        out: &mut [u8],
        scratch: &mut Scratch,
        cut: &mut Vec<u8>,
    ) -> Result<(), WorkError> {
        let scale = match which {
            Which::Hr => self.scale,
            Which::Lq => 1,
        };
        cut.resize(out.len(), 0);
        self.windows
            .read(patch.image, which, self.window(patch, scale), scratch, cut)?;
        turn_into(cut, self.sampler.side * scale, patch.turn, out);
        Ok(())
    }

    fn masks(&self, patch: &Patch, out: &mut [u8], scratch: &mut Scratch) -> Result<(), WorkError> {
        let (side, plane) = (self.sampler.side, self.plane());
        let window = self.window(patch, 1);
        // Where a mask's plane begins, and how far its pixels are apart.
        let (begin, apart) = if self.channels_last {
            (1, self.slots)
        } else {
            (plane, 1)
        };
        let mut fill = |span: Span| {
            if span.mask < self.slots {
                fill(span, side, patch.turn, apart, &mut out[span.mask * begin..]);
            }
        };
        self.windows.spans(patch.image, window, scratch, &mut fill)
    }
}

/// Part `n` of `count` equal ones.
fn part(all: &mut [u8], n: usize, count: usize) -> &mut [u8] {
    let length = all.len() / count.max(1);
    &mut all[n * length..][..length]
}

/// Rows of (R, G, B) of a square as three planes, mirrored, flipped and transposed.
fn turn_into(rows: &[u8], side: usize, turn: Turn, out: &mut [u8]) {
    let last = side.saturating_sub(1);
    let at = |x: usize, y: usize| {
        let x = if turn.mirror { last - x } else { x };
        let y = if turn.flip { last - y } else { y };
        y * side + x
    };
    let (red, rest) = out.split_at_mut(side * side);
    let (green, blue) = rest.split_at_mut(side * side);
    for i in 0..side {
        // Pixel j of row i comes from `from + j * step`.
        let (from, next) = if turn.transpose {
            (at(i, 0), at(i, last.min(1)))
        } else {
            (at(0, i), at(last.min(1), i))
        };
        let step = next.wrapping_sub(from);
        let mut source = from;
        let line = i * side..(i + 1) * side;
        let planes = red[line.clone()]
            .iter_mut()
            .zip(&mut green[line.clone()])
            .zip(&mut blue[line]);
        for ((red, green), blue) in planes {
            let pixel = &rows[source * 3..][..3];
            (*red, *green, *blue) = (pixel[0], pixel[1], pixel[2]);
            source = source.wrapping_add(step);
        }
    }
}

/// Sets the pixels of a span in a plane that is mirrored, flipped and transposed, whose pixels are so far apart.
fn fill(span: Span, side: usize, turn: Turn, apart: usize, out: &mut [u8]) {
    let x = if turn.mirror {
        side - 1 - span.x
    } else {
        span.x
    };
    let rows = if turn.flip {
        side - span.bottom..side - span.top
    } else {
        span.top..span.bottom
    };
    for y in rows {
        let at = if turn.transpose {
            x * side + y
        } else {
            y * side + x
        };
        out[at * apart] = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> impl Iterator<Item = Turn> {
        (0..8).map(|bits| Turn {
            mirror: bits & 1 == 1,
            flip: bits & 2 == 2,
            transpose: bits & 4 == 4,
        })
    }

    /// Mirror, then flip, then transpose, one after the other.
    fn slowly(plane: &[u8], side: usize, turn: Turn) -> Vec<u8> {
        let moved = |plane: &[u8], is_wanted, from: &dyn Fn(usize, usize) -> (usize, usize)| {
            let each = (0..side * side).map(|at| {
                let (y, x) = if is_wanted {
                    from(at / side, at % side)
                } else {
                    (at / side, at % side)
                };
                plane[y * side + x]
            });
            each.collect::<Vec<u8>>()
        };
        let plane = moved(plane, turn.mirror, &|y, x| (y, side - 1 - x));
        let plane = moved(&plane, turn.flip, &|y, x| (side - 1 - y, x));
        moved(&plane, turn.transpose, &|y, x| (x, y))
    }

    #[test]
    fn all_eight_turns_of_pictures_and_masks_are_those_of_one_move_after_the_other() {
        for side in [1, 2, 5] {
            let rows: Vec<u8> = (0..side * side * 3).map(|n| n as u8).collect();
            let mut seen = std::collections::BTreeSet::new();
            for turn in turns() {
                let mut out = vec![0; rows.len()];
                turn_into(&rows, side, turn, &mut out);
                for (channel, plane) in out.chunks(side * side).enumerate() {
                    let own: Vec<u8> = rows.iter().skip(channel).step_by(3).copied().collect();
                    assert_eq!(plane, slowly(&own, side, turn), "{turn:?}");
                }
                seen.insert(out);
                for (x, top, bottom) in [(0, 0, 1), (side - 1, 0, side), (side / 2, side / 2, side)]
                {
                    let (mut plane, mut turned) = (vec![0; side * side], vec![0; side * side]);
                    (top..bottom).for_each(|y| plane[y * side + x] = 1);
                    let span = Span {
                        mask: 0,
                        x,
                        top,
                        bottom,
                    };
                    fill(span, side, turn, 1, &mut turned);
                    assert_eq!(turned, slowly(&plane, side, turn), "{turn:?}");
                    let mut apart = vec![0; 3 * side * side];
                    fill(span, side, turn, 3, &mut apart);
                    let own: Vec<u8> = apart.iter().step_by(3).copied().collect();
                    assert_eq!(own, turned);
                }
            }
            assert_eq!(seen.len(), if side == 1 { 1 } else { 8 });
        }
    }
}
