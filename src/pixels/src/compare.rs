//! Walks two images tile by tile: converts each tile once, and sums squared errors and similarities over it.
//! Unaware of what the sums become; the tiling fixes the order of summation, whatever the threads do.

use rayon::prelude::*;

use crate::luma::View;
use crate::psnr::squared_error;
use crate::ssim::{Ring, similarity};
use crate::tile::{ACROSS, DOWN, ROWS, STRIDE, WINDOW};

/// Sums over a pair of images.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    /// Squared differences over all pixels.
    pub squared_error: f64,
    /// Similarities over all window positions; 0 where they were not asked for.
    pub similarity: f64,
}

/// The sums over all channels; similarities only `with_ssim`. Both lists have the same sizes.
pub(crate) fn totals(a: &[View], b: &[View], with_ssim: bool) -> Totals {
    let pairs: Vec<(&View, &View)> = a.iter().zip(b).collect();
    let Some((width, height)) = a.first().map(View::size) else {
        return Totals::default();
    };
    let (columns, strips) = (width.div_ceil(ACROSS), height.div_ceil(DOWN));
    let tile = |scratch: &mut Scratch, index: usize| {
        let (pair, index) = (
            pairs[index / (columns * strips)],
            index % (columns * strips),
        );
        scratch.compare(
            pair,
            index % columns * ACROSS,
            index / columns * DOWN,
            with_ssim,
        )
    };
    let tiles = (0..pairs.len() * columns * strips).into_par_iter();
    let sums: Vec<Totals> = tiles.map_init(Scratch::new, tile).collect();
    sums.iter().fold(Totals::default(), |sum, tile| Totals {
        squared_error: sum.squared_error + tile.squared_error,
        similarity: sum.similarity + tile.similarity,
    })
}

/// The buffers of one thread.
struct Scratch {
    a: Vec<[f32; STRIDE]>,
    b: Vec<[f32; STRIDE]>,
    ring: Ring,
}

impl Scratch {
    fn new() -> Self {
        Self {
            a: vec![[0.0; STRIDE]; ROWS],
            b: vec![[0.0; STRIDE]; ROWS],
            ring: Ring::new(),
        }
    }

    /// The sums of the tile at (`x`, `y`).
    fn compare(&mut self, (a, b): (&View, &View), x: usize, y: usize, with_ssim: bool) -> Totals {
        let (width, height) = a.size();
        let reach = if with_ssim {
            (STRIDE, ROWS)
        } else {
            (ACROSS, DOWN)
        };
        let (wide, high) = (reach.0.min(width - x), reach.1.min(height - y));
        for row in 0..high {
            a.fill(x, y + row, &mut self.a[row][..wide]);
            b.fill(x, y + row, &mut self.b[row][..wide]);
        }
        let own = (wide.min(ACROSS), high.min(DOWN));
        let positions = (
            own.0.min((wide + 1).saturating_sub(WINDOW)),
            (high + 1).saturating_sub(WINDOW),
        );
        let similarity = match positions {
            (0, _) | (_, 0) => 0.0,
            (across, down) if with_ssim => {
                similarity(&self.a, &self.b, across, down, &mut self.ring)
            }
            _ => 0.0,
        };
        Totals {
            squared_error: squared_error(&self.a[..own.1], &self.b[..own.1], own.0),
            similarity,
        }
    }
}
