//! The segmenter as it is written down simply: all edges at once, sorted. The real one has to give the same to the bit.
//! Unaware of memory; for tests.

use rayon::prelude::*;

use crate::image::Rgb8;
use crate::segment::Labels;
use crate::taps::mirror;

/// Steps (dx, dy) to the four neighbours that make each of the eight-connected pairs once.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (1, 1), (-1, 1)];

/// The pixel graph of a smoothed image: neighbouring pixels with the Euclidean distance of their colours (on the
/// scale of 0 to 255), in ascending order. Sorted once, it serves every scale.
pub(crate) struct SortedEdges {
    width: usize,
    height: usize,
    /// Weight (bits of a non-negative float) above the pixel times 4 plus the step: a total order.
    keys: Vec<u64>,
}

impl SortedEdges {
    /// The graph of `image`, smoothed by a Gaussian of `sigma` pixels first (0 for none).
    pub fn new(image: &Rgb8, sigma: f64) -> Self {
        let pixels = smooth(image, sigma);
        let (width, height) = (image.width, image.height);
        let mut keys: Vec<u64> = (0..height)
            .into_par_iter()
            .flat_map_iter(|y| row_keys(&pixels, width, y))
            .collect();
        keys.par_sort_unstable();
        Self {
            width,
            height,
            keys,
        }
    }

    /// The regions at scale `k` (larger for larger regions; in units of colour distance times pixels), after
    /// regions under `min_size` pixels were merged into the neighbour nearest in colour.
    pub fn segment(&self, k: f64, min_size: usize) -> Labels {
        let mut forest = Forest::new(self.width * self.height, k as f32);
        let mut between = Vec::new();
        for &key in &self.keys {
            let (a, b) = self.ends(key);
            if !forest.join_alike(a, b, f32::from_bits((key >> 32) as u32)) {
                between.push(key);
            }
        }
        for key in between {
            let (a, b) = self.ends(key);
            forest.join_small(a, b, min_size as u32);
        }
        forest.labels(self.width, self.height)
    }

    /// The two pixels of an edge.
    fn ends(&self, key: u64) -> (usize, usize) {
        let (pixel, step) = ((key as u32 >> 2) as usize, STEPS[(key & 3) as usize]);
        (
            pixel,
            (pixel as isize + step.1 * self.width as isize + step.0) as usize,
        )
    }
}

/// The keys of the edges that start in row `y`.
fn row_keys(pixels: &[[f32; 3]], width: usize, y: usize) -> Vec<u64> {
    let height = pixels.len() / width.max(1);
    let mut keys = Vec::with_capacity(width * STEPS.len());
    for x in 0..width {
        for (step, (dx, dy)) in STEPS.into_iter().enumerate() {
            let (to_x, to_y) = (x.wrapping_add_signed(dx), y.wrapping_add_signed(dy));
            if to_x < width && to_y < height {
                let pixel = y * width + x;
                let distance = distance(pixels[pixel], pixels[to_y * width + to_x]);
                keys.push(u64::from(distance.to_bits()) << 32 | (pixel * 4 + step) as u64);
            }
        }
    }
    keys
}

/// Euclidean distance of two colours.
fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
}

/// The image smoothed by a Gaussian, cut off at four standard deviations, with mirrored borders.
fn smooth(image: &Rgb8, sigma: f64) -> Vec<[f32; 3]> {
    let pixels: Vec<[f32; 3]> = image
        .data
        .as_chunks::<3>()
        .0
        .iter()
        .map(|pixel| pixel.map(f32::from))
        .collect();
    if sigma <= 0.0 || pixels.is_empty() {
        return pixels;
    }
    let radius = (4.0 * sigma).ceil().min(64.0) as isize;
    let raw: Vec<f64> = (-radius..=radius)
        .map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp())
        .collect();
    let sum: f64 = raw.iter().sum();
    let weights: Vec<f32> = raw.iter().map(|weight| (weight / sum) as f32).collect();
    let (width, height) = (image.width, image.height);
    let folded = |length: usize| -> Vec<usize> {
        (-radius..length as isize + radius)
            .map(|at| mirror(at, length))
            .collect()
    };
    let (columns, rows) = (folded(width), folded(height));
    let across = weigh(&pixels, width, &weights, |x, y, k| {
        y * width + columns[x + k]
    });
    weigh(&across, width, &weights, |x, y, k| rows[y + k] * width + x)
}

/// For each pixel the weighted sum of the pixels that `source(x, y, tap)` names.
fn weigh(
    pixels: &[[f32; 3]],
    width: usize,
    weights: &[f32],
    source: impl Fn(usize, usize, usize) -> usize + Sync,
) -> Vec<[f32; 3]> {
    let pixel = |x: usize, y: usize| {
        let mut sum = [0.0; 3];
        for (k, weight) in weights.iter().enumerate() {
            let sample = pixels[source(x, y, k)];
            sum.iter_mut()
                .zip(sample)
                .for_each(|(sum, sample)| *sum += weight * sample);
        }
        sum
    };
    let mut out = vec![[0.0; 3]; pixels.len()];
    out.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
        row.iter_mut()
            .enumerate()
            .for_each(|(x, out)| *out = pixel(x, y));
    });
    out
}

/// Union-find over pixels.
struct Forest {
    nodes: Vec<Node>,
    k: f32,
}

/// A pixel; `size` and `limit` are those of its region where it is the root.
#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    size: u32,
    /// The largest weight that may still join the region.
    limit: f32,
}

impl Forest {
    fn new(pixels: usize, k: f32) -> Self {
        let node = |parent| Node {
            parent,
            size: 1,
            limit: k,
        };
        Self {
            nodes: (0..pixels as u32).map(node).collect(),
            k,
        }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let parent = self.nodes[node as usize].parent;
            if parent == node {
                return node;
            }
            let above = self.nodes[parent as usize].parent;
            self.nodes[node as usize].parent = above;
            node = above;
        }
    }

    /// Joins two regions where the edge between them is no heavier than either's own variation allows; whether
    /// both ends are in one region then.
    fn join_alike(&mut self, a: usize, b: usize, weight: f32) -> bool {
        let (a, b) = (self.root(a as u32), self.root(b as u32));
        if a == b {
            return true;
        }
        let alike =
            weight <= self.nodes[a as usize].limit && weight <= self.nodes[b as usize].limit;
        if alike {
            let k = self.k;
            let root = self.join(a, b);
            root.limit = weight + k / root.size as f32;
        }
        alike
    }

    /// Joins two regions where one of them is smaller than `min_size`.
    fn join_small(&mut self, a: usize, b: usize, min_size: u32) {
        let (a, b) = (self.root(a as u32), self.root(b as u32));
        if a != b && self.nodes[a as usize].size.min(self.nodes[b as usize].size) < min_size {
            self.join(a, b);
        }
    }

    /// Joins two roots under the larger, the first where they are equal; returns the new root.
    fn join(&mut self, a: u32, b: u32) -> &mut Node {
        let (first, second) = (self.nodes[a as usize].size, self.nodes[b as usize].size);
        let (root, child) = if first >= second { (a, b) } else { (b, a) };
        self.nodes[child as usize].parent = root;
        let root = &mut self.nodes[root as usize];
        root.size = first + second;
        root
    }

    /// Numbers the regions in the order in which rows meet them.
    fn labels(mut self, width: usize, height: usize) -> Labels {
        let mut number = vec![u32::MAX; self.nodes.len()];
        let mut count = 0;
        let mut data = Vec::with_capacity(number.len());
        for pixel in 0..self.nodes.len() as u32 {
            let root = self.root(pixel) as usize;
            if number[root] == u32::MAX {
                number[root] = count;
                count += 1;
            }
            data.push(number[root]);
        }
        Labels {
            width,
            height,
            count: count as usize,
            data,
        }
    }
}
