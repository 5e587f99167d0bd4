//! From a decoder's small mask to run lengths and stability at the image's size, without a large mask in between.
//! Unaware of networks, prompts and filters.

#![expect(
    clippy::inline_always,
    reason = "helpers must be compiled with the caller's vector instructions"
)]

use multiversion::multiversion;
use pixels::{PixelError, Rle};

use super::enlarge::{Side, TAPS};
use super::held::Held;

/// Columns that are worked on at once.
const LANES: usize = 16;

/// What a mask's logits show at the image's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned {
    /// Where the logit is above 0.
    pub mask: Rle,
    /// Pixels above the offset, divided by pixels above minus the offset; NaN where there are none.
    pub stability: f32,
}

impl Scanned {
    /// Hands the mask to `held`; what is seen of it, of the `answer`th logits.
    pub fn seen(self, answer: usize, held: &mut Held) -> Seen {
        Seen {
            answer,
            stability: self.stability,
            bbox: self.mask.bbox(),
            place: held.add(self.mask),
        }
    }
}

/// What is seen of a mask that is held elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The number of its logits among those that were scanned together.
    pub answer: usize,
    /// As in [`Scanned`].
    pub stability: f32,
    /// Left, top, right and bottom of the mask, inclusive; zeros where it is empty.
    pub bbox: [usize; 4],
    /// Where the mask is held.
    pub place: usize,
}

/// The enlargement of all masks of one image.
#[derive(Debug)]
pub struct Scanner {
    across: Side,
    down: Side,
    offset: f32,
}

/// The sizes between a decoder's mask and the image.
#[derive(Clone, Debug)]
pub struct Frame {
    /// A mask has `low`×`low` logits.
    pub low: usize,
    /// The model's input has `full`×`full` pixels.
    pub full: usize,
    /// What the image fills of the input, width and height.
    pub scaled: (usize, usize),
    /// The image, width and height.
    pub size: (usize, usize),
}

impl Scanner {
    /// `offset` is that of the stability score.
    pub fn new(frame: &Frame, offset: f32) -> Self {
        let Frame {
            low,
            full,
            scaled,
            size,
        } = *frame;
        Self {
            across: Side::new(low, full, scaled.0, size.0),
            down: Side::new(low, full, scaled.1, size.1),
            offset,
        }
    }

    /// Number of logits of a mask.
    pub fn logits(&self) -> usize {
        self.across.length * self.down.length
    }

    /// Scans one mask, given column by column: `low` logits for each of `low` columns.
    pub fn scan(&self, logits: &[f32]) -> Result<Scanned, PixelError> {
        let mut runs = Runs::new(self.down.taps.len());
        let mut counts = Counts::default();
        let mut bits = vec![0_u16; self.down.taps.len()];
        let mut strip = vec![[0.0; LANES]; self.down.length];
        for columns in self.across.taps.chunks(LANES) {
            fill_strip(logits, columns, &mut strip);
            threshold(&strip, &self.down.taps, self.offset, &mut bits, &mut counts);
            runs.add(&bits, columns.len());
        }
        let (width, height) = (self.across.taps.len(), self.down.taps.len());
        Ok(Scanned {
            mask: Rle::new(width, height, &runs.finish((width * height) as u32))?,
            stability: counts.above as f32 / counts.below as f32,
        })
    }
}

/// Pixels above the offset, and above minus the offset.
#[derive(Default)]
struct Counts {
    above: u32,
    below: u32,
}

/// The horizontal interpolation of a set of columns; lanes without a column are -infinity, which no count sees.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn fill_strip(logits: &[f32], columns: &[(usize, [f32; TAPS])], strip: &mut [[f32; LANES]]) {
    let low = strip.len();
    strip.fill([f32::NEG_INFINITY; LANES]);
    for (lane, (first, weights)) in columns.iter().enumerate() {
        let column = |k: usize| &logits[(first + k) * low..][..low];
        let (a, b, c) = (column(0), column(1), column(2));
        for (y, cell) in strip.iter_mut().enumerate() {
            cell[lane] = weights[0] * a[y] + weights[1] * b[y] + weights[2] * c[y];
        }
    }
}

/// The vertical interpolation, cut at 0 and at plus and minus the offset; a bit a lane for each row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn threshold(
    strip: &[[f32; LANES]],
    rows: &[(usize, [f32; TAPS])],
    offset: f32,
    bits: &mut [u16],
    counts: &mut Counts,
) {
    let (mut above, mut below) = ([0_u32; LANES], [0_u32; LANES]);
    for ((first, weights), bits) in rows.iter().zip(bits) {
        let values = blend(&strip[*first..], weights);
        *bits = 0;
        for lane in 0..LANES {
            above[lane] += u32::from(values[lane] > offset);
            below[lane] += u32::from(values[lane] > -offset);
            *bits |= u16::from(values[lane] > 0.0) << lane;
        }
    }
    counts.above += above.iter().sum::<u32>();
    counts.below += below.iter().sum::<u32>();
}

#[inline(always)]
fn blend(rows: &[[f32; LANES]], weights: &[f32; TAPS]) -> [f32; LANES] {
    let mut values = [0.0; LANES];
    for (lane, value) in values.iter_mut().enumerate() {
        *value =
            weights[0] * rows[0][lane] + weights[1] * rows[1][lane] + weights[2] * rows[2][lane];
    }
    values
}

/// COCO's run lengths, built column by column.
struct Runs {
    height: usize,
    /// Positions at which the value changes, column-major.
    changes: Vec<u32>,
    column: usize,
    inside: bool,
    /// Rows at which each column of a set changes.
    rows: [Vec<u32>; LANES],
}

impl Runs {
    fn new(height: usize) -> Self {
        Self {
            height,
            changes: Vec::new(),
            column: 0,
            inside: false,
            rows: Default::default(),
        }
    }

    /// Adds the first `count` columns of a set: bit i of a row belongs to column i.
    fn add(&mut self, bits: &[u16], count: usize) {
        self.rows.iter_mut().for_each(Vec::clear);
        let mut before = 0;
        for (y, &row) in bits.iter().enumerate() {
            let mut changed = row ^ before;
            while changed != 0 {
                self.rows[changed.trailing_zeros() as usize].push(y as u32);
                changed &= changed - 1;
            }
            before = row;
        }
        (0..count).for_each(|lane| self.add_column(lane));
    }

    /// The rows of a column alternate between entering and leaving, and start outside; the column before it may have
    /// ended inside.
    fn add_column(&mut self, lane: usize) {
        let top = (self.column * self.height) as u32;
        let rows = &self.rows[lane];
        let starts_inside = rows.first() == Some(&0);
        if starts_inside != self.inside {
            self.changes.push(top);
        }
        let rest = &rows[usize::from(starts_inside)..];
        self.changes.extend(rest.iter().map(|row| top + row));
        self.inside = rows.len() % 2 == 1;
        self.column += 1;
    }

    /// The runs, zeros first.
    fn finish(self, pixels: u32) -> Vec<u32> {
        let ends = self.changes.iter().copied().chain([pixels]);
        let starts = [0].into_iter().chain(self.changes.iter().copied());
        ends.zip(starts).map(|(end, start)| end - start).collect()
    }
}
