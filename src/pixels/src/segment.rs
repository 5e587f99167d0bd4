//! Graph-based image segmentation after Felzenszwalb and Huttenlocher (IJCV 2004), for several scales at once.
//! Unaware of prompts and masks; see `graph_masks`.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::edges::{Edges, Key};
use crate::image::Rgb8;

/// A partition of an image into connected regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Number of regions.
    pub count: usize,
    /// Region of each pixel, height × width, numbered from 0 in the order of first appearance.
    pub data: Vec<u32>,
}

/// The regions of `image`, smoothed by a Gaussian of `sigma` pixels first (0 for none), at each of the scales `k` (larger
/// for larger regions; in units of colour distance times pixels), after regions under `min_size` pixels were merged into
/// the neighbour nearest in colour. Nothing where `stop` says so.
///
/// Edges come in ascending order twice: first to join what is alike; then those that still separate a small region, to
/// merge it. An edge within a region changes nothing; those that lie within one at every scale already are left out.
pub fn segment(
    image: &Rgb8,
    sigma: f64,
    scales: &[f64],
    min_size: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<Labels>> {
    let edges = Edges::new(image, sigma);
    let (width, height) = image.size();
    let forest = |k: &f64| Forest::new(width * height, *k as f32);
    let mut forests: Vec<Forest> = scales.iter().map(forest).collect();
    let least = u32::try_from(min_size).unwrap_or(u32::MAX);
    let separates = |forests: &Vec<Forest>, key: Key| {
        let (a, b) = edges.ends(key);
        forests.iter().any(|forest| forest.separates(a, b))
    };
    let join = |forests: &mut Vec<Forest>, keys: &[Key]| {
        in_turn(forests, keys, &|forest, keys| {
            forest.each(&edges, keys, &mut |forest, a, b, weight| {
                forest.join_alike(a, b, weight);
            });
        });
    };
    edges.sweep(&mut forests, separates, join, flatten, stop)?;
    let separates_small = |forests: &Vec<Forest>, key: Key| {
        let (a, b) = edges.ends(key);
        forests
            .iter()
            .any(|forest| forest.separates_small(a, b, least))
    };
    let merge = |forests: &mut Vec<Forest>, keys: &[Key]| {
        in_turn(forests, keys, &|forest, keys| {
            forest.each(&edges, keys, &mut |forest, a, b, _| {
                forest.join_small(a, b, least);
            });
        });
    };
    if least > 1 {
        edges.sweep(&mut forests, separates_small, merge, flatten, stop)?;
    }
    Some(
        forests
            .into_par_iter()
            .map(|forest| forest.labels(width, height))
            .collect(),
    )
}

/// Edges that a forest is given before a thread looks for another one.
const TURN: usize = if cfg!(test) { 8 } else { 1 << 19 };

/// Gives each forest all keys, in their order. A thread takes the forest that is furthest behind for a turn, so that three
/// forests keep two threads busy to the end.
fn in_turn(forests: &mut [Forest], keys: &[Key], work: &(dyn Fn(&mut Forest, &[Key]) + Sync)) {
    let waiting: Vec<(usize, &mut Forest)> = forests.iter_mut().map(|f| (0, f)).collect();
    let threads = rayon::current_num_threads().min(waiting.len());
    let waiting = Mutex::new(waiting);
    let take = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = (0..waiting.len()).min_by_key(|&n| waiting[n].0)?;
        Some(waiting.swap_remove(behind))
    };
    rayon::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                while let Some((begin, forest)) = take() {
                    let end = (begin + TURN).min(keys.len());
                    work(forest, &keys[begin..end]);
                    if end < keys.len() {
                        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                        waiting.push((end, forest));
                    }
                }
            });
        }
    });
}

fn flatten(forests: &mut Vec<Forest>) {
    forests.par_iter_mut().for_each(Forest::flatten);
}

/// Union-find over pixels. Most pixels never are the root of more than themselves, so a pixel is four bytes: its parent,
/// itself, or, for the root of a region of several pixels, the place of what is known of that region.
struct Forest {
    parents: Vec<u32>,
    regions: Vec<Region>,
    /// Places of `regions` that nobody uses any more.
    free: Vec<u32>,
    k: f32,
}

/// What is known of a region.
#[derive(Clone, Copy)]
struct Region {
    size: u32,
    /// The largest weight that may still join the region.
    limit: f32,
}

/// Edges whose ends are looked at before the first of them is joined.
const AHEAD: usize = 64;

/// Edges of one weight come in the order of their places: within so many pixels memory has been asked for already.
const NEAR: u32 = 4096;

/// The mark of a root of several pixels; an image has at most 2^30.
const ROOT: u32 = 1 << 31;

impl Forest {
    fn new(pixels: usize, k: f32) -> Self {
        Self {
            parents: (0..pixels as u32).collect(),
            regions: Vec::new(),
            free: Vec::new(),
            k,
        }
    }

    fn is_root(&self, node: u32) -> bool {
        let parent = self.parents[node as usize];
        parent == node || parent & ROOT != 0
    }

    /// The root of a pixel's region; the way there becomes shorter.
    fn root(&mut self, mut node: u32) -> u32 {
        while !self.is_root(node) {
            let parent = self.parents[node as usize];
            if self.is_root(parent) {
                return parent;
            }
            let above = self.parents[parent as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    /// The same, for those who may not change anything.
    fn root_of(&self, mut node: u32) -> u32 {
        while !self.is_root(node) {
            node = self.parents[node as usize];
        }
        node
    }

    /// Makes every way one step long.
    fn flatten(&mut self) {
        for pixel in 0..self.parents.len() as u32 {
            let root = self.root(pixel);
            if root != pixel {
                self.parents[pixel as usize] = root;
            }
        }
    }

    /// Hands on the two ends of each edge and its weight. In ascending order of weight the ends lie anywhere: what is
    /// known of those of the next [`AHEAD`] edges is read first, so that memory is asked for all of it at once and not for
    /// one after the other.
    fn each(
        &mut self,
        edges: &Edges<'_>,
        keys: &[Key],
        join: &mut impl FnMut(&mut Self, u32, u32, f32),
    ) {
        let mut ends = [[0; 2]; AHEAD];
        for keys in keys.chunks(AHEAD) {
            for (ends, &key) in ends.iter_mut().zip(keys) {
                *ends = edges.ends(key).into();
            }
            let ends = &ends[..keys.len()];
            if let [first, .., last] = ends
                && first[0].abs_diff(last[0]) > NEAR
            {
                self.look_at(ends.as_flattened());
            }
            for (ends, &key) in ends.iter().zip(keys) {
                join(self, ends[0], ends[1], f32::from_bits((key >> 32) as u32));
            }
        }
    }

    /// Reads parents, what they have as parents, and the regions of those, each for all nodes before the next.
    fn look_at(&self, nodes: &[u32]) {
        let mut way = [0; 2 * AHEAD];
        let way = &mut way[..nodes.len()];
        for (step, node) in way.iter_mut().zip(nodes) {
            *step = self.parents[*node as usize];
        }
        for (step, node) in way.iter_mut().zip(nodes) {
            // All ones for a root. To choose by it costs less than to guess a branch.
            let is_root = (step.cast_signed() >> 31).cast_unsigned();
            let above = (*step & !is_root) | (node & is_root);
            *step = self.parents[above as usize];
        }
        let size = |step: &u32| {
            let region = self.regions.get((step & !ROOT) as usize);
            region.map_or(0, |region| region.size)
        };
        let sizes = way.iter().map(size).fold(0, |all, size| all ^ size);
        std::hint::black_box(sizes);
    }

    /// Whether an edge lies between two regions.
    fn separates(&self, a: u32, b: u32) -> bool {
        self.root_of(a) != self.root_of(b)
    }

    fn region(&self, root: u32) -> Region {
        match self.parents[root as usize] {
            place if place & ROOT != 0 => self.regions[(place & !ROOT) as usize],
            _ => Region {
                size: 1,
                limit: self.k,
            },
        }
    }

    /// Joins two regions where the edge between them is no heavier than either's own variation allows.
    fn join_alike(&mut self, a: u32, b: u32, weight: f32) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let (first, second) = (self.region(a), self.region(b));
        if weight <= first.limit && weight <= second.limit {
            let size = first.size + second.size;
            self.join((a, first), (b, second), weight + self.k / size as f32);
        }
    }

    /// Joins two regions where one of them is smaller than `least`.
    fn join_small(&mut self, a: u32, b: u32, least: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let (first, second) = (self.region(a), self.region(b));
        if first.size.min(second.size) < least {
            let limit = if first.size >= second.size {
                first.limit
            } else {
                second.limit
            };
            self.join((a, first), (b, second), limit);
        }
    }

    /// Whether an edge lies between two regions of which one is smaller than `least`.
    fn separates_small(&self, a: u32, b: u32, least: u32) -> bool {
        let (a, b) = (self.root_of(a), self.root_of(b));
        a != b && self.region(a).size.min(self.region(b).size) < least
    }

    /// Joins two roots under the larger, the first where they are equal.
    fn join(&mut self, a: (u32, Region), b: (u32, Region), limit: f32) {
        let size = a.1.size + b.1.size;
        let (root, child) = if a.1.size >= b.1.size {
            (a.0, b.0)
        } else {
            (b.0, a.0)
        };
        if self.parents[child as usize] & ROOT != 0 {
            self.free.push(self.parents[child as usize] & !ROOT);
        }
        self.parents[child as usize] = root;
        let region = Region { size, limit };
        match self.parents[root as usize] {
            place if place & ROOT != 0 => self.regions[(place & !ROOT) as usize] = region,
            _ => self.parents[root as usize] = ROOT | self.place(region),
        }
    }

    fn place(&mut self, region: Region) -> u32 {
        if let Some(place) = self.free.pop() {
            self.regions[place as usize] = region;
            return place;
        }
        self.regions.push(region);
        self.regions.len() as u32 - 1
    }

    /// Numbers the regions in the order in which rows meet them. Parents become numbers in place.
    fn labels(mut self, width: usize, height: usize) -> Labels {
        for pixel in 0..self.parents.len() as u32 {
            if self.parents[pixel as usize] == pixel {
                let alone = self.region(pixel);
                self.parents[pixel as usize] = ROOT | self.place(alone);
            }
        }
        // Every root is marked now. Ways are made one step long first, so that a pixel's number can replace its parent.
        self.flatten();
        let mut numbers = vec![u32::MAX; self.regions.len()];
        let mut count = 0;
        for pixel in 0..self.parents.len() {
            let parent = self.parents[pixel];
            let is_root = parent & ROOT != 0;
            let mark = if is_root {
                parent
            } else {
                self.parents[parent as usize]
            };
            let number = &mut numbers[(mark & !ROOT) as usize];
            if *number == u32::MAX {
                *number = count;
                count += 1;
            }
            if !is_root {
                self.parents[pixel] = *number;
            }
        }
        for parent in self
            .parents
            .iter_mut()
            .filter(|parent| **parent & ROOT != 0)
        {
            *parent = numbers[(*parent & !ROOT) as usize];
        }
        Labels {
            width,
            height,
            count: count as usize,
            data: self.parents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(image: &Rgb8, sigma: f64, k: f64, min_size: usize) -> Labels {
        let mut all = segment(image, sigma, &[k], min_size, &|| false).unwrap();
        all.remove(0)
    }

    /// An image of three flat parts: left, right top and right bottom.
    fn parts() -> Rgb8 {
        let color = |i: usize| match (i % 20 < 8, i / 20 < 6) {
            (true, _) => [200, 30, 30],
            (false, true) => [30, 30, 200],
            (false, false) => [30, 60, 220],
        };
        Rgb8::new(20, 15, (0..300).flat_map(color).collect()).unwrap()
    }

    #[test]
    fn flat_parts_are_found() {
        let labels = one(&parts(), 0.0, 20.0, 1);
        assert_eq!(labels.count, 3);
        assert_eq!(
            [labels.data[0], labels.data[19], labels.data[299]],
            [0, 1, 2]
        );
        let sizes = (0..3).map(|l| labels.data.iter().filter(|&&v| v == l).count());
        assert_eq!(sizes.collect::<Vec<_>>(), [120, 72, 108]);
    }

    /// Noise, a photograph's likeness, two tones and a flat picture, against the simple form of the algorithm.
    #[test]
    fn regions_are_those_of_one_sort_to_the_bit() {
        let mut state = crate::noise::RandomState::new(9);
        let mut picture = |value: &dyn Fn(usize, f64) -> f64| {
            let data = (0..61 * 70 * 3).map(|i| value(i, state.random_sample()) as u8);
            Rgb8::new(61, 70, data.collect()).unwrap()
        };
        for image in [
            picture(&|_, random| random * 255.0),
            picture(&|i, random| {
                (i / 3 % 61 / 9 * 40 + i / 549 * 25) as f64 % 240.0 + random * 12.0
            }),
            picture(&|i, _| if i / 3 % 61 < 30 { 20.0 } else { 200.0 }),
            picture(&|i, random| f64::from(u8::from(random > 0.98)) * (i % 250) as f64),
            picture(&|_, _| 77.0),
        ] {
            for (sigma, min_size) in [(0.8, 10), (0.0, 1), (0.5, 50)] {
                let scales = [5.0, 100.0, 1000.0];
                let found = segment(&image, sigma, &scales, min_size, &|| false).unwrap();
                let simple = crate::segment_reference::SortedEdges::new(&image, sigma);
                for (found, k) in found.iter().zip(scales) {
                    assert!(
                        *found == simple.segment(k, min_size),
                        "{sigma} {min_size} {k}"
                    );
                }
            }
        }
    }

    #[test]
    fn larger_scales_give_fewer_regions() {
        let scales = segment(&parts(), 0.0, &[10_000.0, 1e6], 1, &|| false).unwrap();
        assert_eq!([scales[0].count, scales[1].count], [2, 1]);
    }

    #[test]
    fn small_regions_are_merged_into_the_nearest_colour() {
        let mut image = parts();
        image.data[(5 * 20 + 4) * 3] = 120;
        assert_eq!(one(&image, 0.0, 20.0, 1).count, 4);
        assert_eq!(one(&image, 0.0, 20.0, 2).count, 3);
    }

    #[test]
    fn the_same_image_gives_the_same_regions_with_any_number_of_threads() {
        let mut state = crate::noise::RandomState::new(5);
        let data = (0..64 * 48 * 3)
            .map(|_| (state.random_sample() * 8.0) as u8)
            .collect();
        let image = Rgb8::new(64, 48, data).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| one(&image, 0.8, 30.0, 5))
        };
        assert_eq!(with(1), with(4));
    }

    #[test]
    fn nothing_comes_of_an_empty_image_and_of_a_request_to_stop() {
        let empty = Rgb8::new(0, 0, vec![]).unwrap();
        assert_eq!(one(&empty, 1.0, 10.0, 2).count, 0);
        assert_eq!(segment(&parts(), 0.8, &[20.0], 2, &|| true), None);
    }
}
