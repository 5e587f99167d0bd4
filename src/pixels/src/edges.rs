//! The edges between neighbouring pixels, in ascending order of their colours' distance, a part at a time.
//! Unaware of regions.
//!
//! ```text
//!   all edges, as often as it takes ─> how many have which weight ─> parts of at most PART edges ─┐
//!   all edges again ─> those of the first part, sorted ─> whoever joins regions                   │
//!   all edges again ─> those of the second part, sorted ─> …                                     <┘
//! ```
//!
//! An edge is eight bytes, and there are four a pixel: together they would be the largest thing in memory by far. They are
//! computed anew for each part instead, which costs little beside sorting them. The order is that of one sort: by weight,
//! then by place. A single weight that more than [`PART`] edges share (flat pictures) needs no sort: places ascend already.

use rayon::prelude::*;

use crate::image::Rgb8;
use crate::smooth::Smooth;

/// Steps (dx, dy) to the four neighbours that make each of the eight-connected pairs once.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (1, 1), (-1, 1)];

/// Most edges that are held at once, but for those of a few rows.
const PART: u64 = if cfg!(test) { 1 << 8 } else { 1 << 25 };

/// Rows that a thread works on.
const ROWS: usize = 32;
/// Threads' worth of rows after which what was found is put together.
const GROUP: usize = 8;

/// The bits of a weight that its histogram looks at first, and those left.
const HIGH: u32 = 16;

/// An edge: the bits of its weight, a non-negative number, above the pixel times 4 plus the step.
pub(crate) type Key = u64;

/// The pixel graph of a smoothed image: neighbours with the Euclidean distance of their colours (on the scale of 0 to
/// 255).
pub(crate) struct Edges<'a> {
    smooth: Smooth<'a>,
    width: usize,
    height: usize,
}

/// Weights from the first to the last, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: u32,
    last: u32,
    /// How many edges have one of them, at most.
    count: u64,
}

impl<'a> Edges<'a> {
    pub fn new(image: &'a Rgb8, sigma: f64) -> Self {
        Self {
            smooth: Smooth::new(image, sigma),
            width: image.width,
            height: image.height,
        }
    }

    /// The two pixels of an edge.
    pub fn ends(&self, key: Key) -> (u32, u32) {
        let (pixel, step) = (key as u32 >> 2, STEPS[(key & 3) as usize]);
        let other = i64::from(pixel) + (step.1 * self.width as isize + step.0) as i64;
        (pixel, other as u32)
    }

    /// Hands on the edges that are `wanted`, in ascending order, in parts. `state` is whoever takes them; an edge that is
    /// wanted at first and not any more may come or not. Behind each part it may `rest`. Nothing where `stop` says so.
    pub fn sweep<S: Sync>(
        &self,
        state: &mut S,
        wanted: impl Fn(&S, Key) -> bool + Sync,
        mut take: impl FnMut(&mut S, &[Key]),
        mut rest: impl FnMut(&mut S),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<()> {
        for part in self.parts(|key| wanted(state, key), stop)? {
            let mut keys: Vec<Key> = Vec::with_capacity(part.count.min(PART) as usize);
            for group in self.groups() {
                if stop() {
                    return None;
                }
                let of = |&from: &usize| {
                    let mut keys = Vec::new();
                    self.each(from, &mut |key| {
                        let weight = (key >> 32) as u32;
                        if (part.first..=part.last).contains(&weight) && wanted(state, key) {
                            keys.push(key);
                        }
                    });
                    keys
                };
                let found: Vec<Vec<Key>> = group.par_iter().map(of).collect();
                for mut found in found {
                    keys.append(&mut found);
                }
                if part.first == part.last {
                    take(state, &keys);
                    keys.clear();
                }
            }
            keys.par_sort_unstable();
            take(state, &keys);
            drop(keys);
            rest(state);
        }
        Some(())
    }

    /// First rows of what a thread works on, in groups.
    fn groups(&self) -> Vec<Vec<usize>> {
        let height = if self.width == 0 { 0 } else { self.height };
        let rows: Vec<usize> = (0..height).step_by(ROWS).collect();
        rows.chunks(GROUP).map(<[usize]>::to_vec).collect()
    }

    /// Ranges of weights, ascending, of at most [`PART`] edges each, or of a single weight.
    fn parts(
        &self,
        wanted: impl Fn(Key) -> bool + Sync,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<Vec<Part>> {
        let count = 4 * self.width as u64 * self.height as u64;
        if count <= PART {
            return Some(vec![Part {
                first: 0,
                last: u32::MAX,
                count,
            }]);
        }
        let coarse = self.histogram(
            |key| wanted(key).then_some((key >> (64 - HIGH)) as usize),
            stop,
        )?;
        let mut parts = Vec::new();
        for (high, &count) in coarse.iter().enumerate() {
            let first = (high as u32) << HIGH;
            if count <= PART {
                push(&mut parts, first, first | 0xffff, count);
                continue;
            }
            let low = |key: Key| {
                ((key >> (64 - HIGH)) as usize == high && wanted(key))
                    .then_some((key >> 32) as usize & 0xffff)
            };
            for (low, &count) in self.histogram(low, stop)?.iter().enumerate() {
                push(&mut parts, first | low as u32, first | low as u32, count);
            }
        }
        Some(parts)
    }

    /// How many edges have which number of 16 bits.
    fn histogram(
        &self,
        bin: impl Fn(Key) -> Option<usize> + Sync,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<Vec<u64>> {
        let mut all = vec![0; 1 << HIGH];
        for group in self.groups() {
            if stop() {
                return None;
            }
            let of = |&from: &usize| {
                let mut counts = vec![0_u32; 1 << HIGH];
                self.each(from, &mut |key| {
                    if let Some(bin) = bin(key) {
                        counts[bin] += 1;
                    }
                });
                counts
            };
            let counts: Vec<Vec<u32>> = group.par_iter().map(of).collect();
            for counts in counts {
                all.iter_mut()
                    .zip(counts)
                    .for_each(|(all, count)| *all += u64::from(count));
            }
        }
        Some(all)
    }

    /// The edges that start in the [`ROWS`] rows from `from`, in the order of their places.
    fn each(&self, from: usize, visit: &mut impl FnMut(Key)) {
        let (width, height) = (self.width, self.height);
        let to = (from + ROWS).min(height);
        let rows = self.smooth.rows(from, (to + 1).min(height));
        let row = |y: usize| rows.get(3 * width * (y - from)..)?.get(..3 * width);
        let mut distances = [const { Vec::new() }; 4];
        for y in from..to {
            let Some(here) = row(y) else { return };
            let below = row(y + 1);
            let [right, down, falling, rising] = &mut distances;
            measure(right, here, here, (0, 1), width);
            if let Some(below) = below {
                measure(down, here, below, (0, 0), width);
                measure(falling, here, below, (0, 1), width);
                // From the second pixel on: x − 1 of the row below.
                measure(rising, here, below, (1, 0), width);
            }
            for x in 0..width {
                let mut key = |step: u64, distance: f32| {
                    let place = 4 * (y * width + x) as u64 + step;
                    visit(u64::from(distance.to_bits()) << 32 | place);
                };
                if x + 1 < width {
                    key(0, right[x]);
                }
                if below.is_some() {
                    key(1, down[x]);
                    if x + 1 < width {
                        key(2, falling[x]);
                    }
                    if x > 0 {
                        key(3, rising[x - 1]);
                    }
                }
            }
        }
    }
}

/// Puts weights into the last part, or into a new one where that would be too large. A part of one weight that is too
/// large stays by itself.
fn push(parts: &mut Vec<Part>, first: u32, last: u32, count: u64) {
    match parts.last_mut() {
        _ if count == 0 => {}
        Some(part) if part.count + count <= PART => {
            part.last = last;
            part.count += count;
        }
        _ => parts.push(Part { first, last, count }),
    }
}

/// Euclidean distances of the colours of one row from those of another, each from its own first pixel.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn measure(out: &mut Vec<f32>, a: &[f32], b: &[f32], shift: (usize, usize), width: usize) {
    let count = width - shift.0.max(shift.1);
    out.clear();
    out.resize(count, 0.0);
    for channel in 0..3 {
        let a = &a[channel * width + shift.0..][..count];
        let b = &b[channel * width + shift.1..][..count];
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            let d = a - b;
            *out += d * d;
        }
    }
    for sum in out.iter_mut() {
        *sum = sum.sqrt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All edges by the definition, sorted at once.
    fn sorted(edges: &Edges<'_>) -> Vec<Key> {
        let mut keys = Vec::new();
        for from in (0..edges.height).step_by(ROWS) {
            edges.each(from, &mut |key| keys.push(key));
        }
        keys.sort_unstable();
        keys
    }

    #[test]
    fn parts_put_together_are_one_sort() {
        let picture = |value: &dyn Fn(u32) -> u8| {
            Rgb8::new(61, 70, (0..61 * 70 * 3).map(value).collect()).unwrap()
        };
        for image in [
            picture(&|_| 7),
            picture(&|i| (i * i / 11 % 251) as u8),
            picture(&|i| if i / 3 % 61 < 30 { 20 } else { 200 }),
            picture(&|i| (i / 3 % 2 * 255) as u8),
        ] {
            for sigma in [0.0, 0.8] {
                let edges = Edges::new(&image, sigma);
                let mut found = Vec::new();
                edges
                    .sweep(
                        &mut found,
                        |_, _| true,
                        Vec::extend_from_slice,
                        |_| (),
                        &|| false,
                    )
                    .unwrap();
                assert!(found == sorted(&edges));
            }
        }
        assert_eq!(
            Edges::new(&picture(&|_| 7), 0.8).sweep(
                &mut (),
                |(), _| true,
                |(), _| {},
                |()| (),
                &|| true
            ),
            None
        );
    }
}
