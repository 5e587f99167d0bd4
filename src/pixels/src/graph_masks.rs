//! The embedded segmenter: prompt points answered with regions of three scales, for work without SAM's weights.
//! Unaware of granularities' names and of files.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::image::Rgb8;
use crate::prompt::point_grid;
use crate::rle::Rle;
use crate::segment::{Labels, segment};
use crate::stack::MaskStack;

/// Two regions of different scales that overlap by more than this (intersection over union) are one.
const NEAR_DUPLICATE: f64 = 0.9;

/// How the segmenter cuts an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GraphConfig {
    /// Gaussian smoothing before, in pixels.
    pub sigma: f64,
    /// Scales of the three partitions (part, object, whole); larger for larger regions.
    pub k: [f64; 3],
    /// Smallest region, in pixels.
    pub min_size: usize,
}

impl Default for GraphConfig {
    /// Chosen on the sample photographs, so that a finer grid finds more masks on every one of them, at full
    /// size and at a quarter of it.
    fn default() -> Self {
        Self {
            sigma: 0.8,
            k: [100.0, 300.0, 1000.0],
            min_size: 10,
        }
    }
}

/// The partitions of one image; they answer any number of point grids.
pub struct GraphSegmenter {
    scales: Vec<Labels>,
    /// Pixels of each region, scale after scale.
    areas: Vec<u64>,
    /// Where each scale's regions start in `areas`.
    starts: Vec<usize>,
    /// For each region those near-duplicates of it that win over it, as indices.
    better: BTreeMap<usize, Vec<usize>>,
}

impl GraphSegmenter {
    /// Cuts `image` at the three scales.
    pub fn new(image: &Rgb8, config: &GraphConfig) -> Self {
        let never = || false;
        Self::until(image, config, &never).unwrap_or_else(|| Self::of(Vec::new()))
    }

    /// The same; nothing where `stop`, which is asked every few rows, says so.
    pub fn until(
        image: &Rgb8,
        config: &GraphConfig,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<Self> {
        segment(image, config.sigma, &config.k, config.min_size, stop).map(Self::of)
    }

    fn of(scales: Vec<Labels>) -> Self {
        let areas: Vec<u64> = scales.par_iter().flat_map_iter(areas_of).collect();
        let starts = scales.iter().scan(0, |next, labels| {
            let start = *next;
            *next += labels.count;
            Some(start)
        });
        let starts: Vec<usize> = starts.collect();
        let better = near_duplicates(&scales, &starts, &areas);
        Self {
            scales,
            areas,
            starts,
            better,
        }
    }

    /// The masks of a `grid`×`grid` prompt: the regions of each scale under each point, without duplicates and
    /// near-duplicates, largest first (then coarser partition, then first in reading order), at most `slots`.
    pub fn masks(&self, grid: usize, slots: usize) -> MaskStack {
        let kept = self.prompted(grid);
        let masks = self.regions(&kept[..kept.len().min(slots)]);
        let (width, height) = self
            .scales
            .first()
            .map_or((0, 0), |labels| (labels.width, labels.height));
        MaskStack {
            width,
            height,
            slots,
            masks,
            found: kept.len(),
        }
    }

    /// The masks of these regions, in their order: one walk down the columns of each scale.
    fn regions(&self, wanted: &[usize]) -> Vec<Rle> {
        let of_scale = |(scale, (labels, &start)): (usize, (&Labels, &usize))| {
            let mut slots = vec![None; labels.count];
            for (slot, region) in wanted.iter().enumerate() {
                if scale_of(&self.starts, *region) == scale {
                    slots[region - start] = Some(slot);
                }
            }
            masks_of(labels, &slots)
        };
        let scales: Vec<_> = self.scales.iter().zip(&self.starts).enumerate().collect();
        let found: Vec<Vec<(usize, Rle)>> = scales.into_par_iter().map(of_scale).collect();
        let mut found: Vec<(usize, Rle)> = found.into_iter().flatten().collect();
        found.sort_by_key(|(slot, _)| *slot);
        found.into_iter().map(|(_, mask)| mask).collect()
    }

    /// The regions that stay, best first.
    fn prompted(&self, grid: usize) -> Vec<usize> {
        let mut wanted = vec![false; self.areas.len()];
        for (labels, &start) in self.scales.iter().zip(&self.starts) {
            for [x, y] in point_grid(grid, labels.width, labels.height) {
                if let Some(&label) = labels.data.get(y as usize * labels.width + x as usize) {
                    wanted[start + label as usize] = true;
                }
            }
        }
        let mut order: Vec<usize> = (0..wanted.len()).filter(|&region| wanted[region]).collect();
        order.sort_by_key(|&region| self.rank(region));
        let mut kept = vec![false; wanted.len()];
        for &region in &order {
            kept[region] = !self
                .better
                .get(&region)
                .is_some_and(|better| better.iter().any(|&b| kept[b]));
        }
        order.retain(|&region| kept[region]);
        order
    }

    /// The order of masks: largest first, then the coarser partition, then reading order.
    fn rank(&self, region: usize) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<usize>, usize) {
        rank(&self.areas, &self.starts, region)
    }
}

/// Bytes that segmenting takes for each pixel at its peak, besides [`GRAPH_EDGES`]: the image, three forests of four bytes
/// a pixel, which become pictures of labels, and what is known of their regions.
pub const GRAPH_BYTES: u64 = 32;

/// Bytes of the edges that are held at once, whatever the image.
pub const GRAPH_EDGES: u64 = 1 << 29;

/// [`GraphSegmenter::masks`] of one grid of `image`.
pub fn graph_masks(image: &Rgb8, grid: usize, slots: usize, config: &GraphConfig) -> MaskStack {
    GraphSegmenter::new(image, config).masks(grid, slots)
}

fn rank(
    areas: &[u64],
    starts: &[usize],
    region: usize,
) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<usize>, usize) {
    (
        std::cmp::Reverse(areas[region]),
        std::cmp::Reverse(scale_of(starts, region)),
        region,
    )
}

fn scale_of(starts: &[usize], region: usize) -> usize {
    starts.partition_point(|&start| start <= region) - 1
}

fn areas_of(labels: &Labels) -> Vec<u64> {
    let mut areas = vec![0; labels.count];
    labels
        .data
        .iter()
        .for_each(|&label| areas[label as usize] += 1);
    areas
}

/// The masks of the regions that have a slot, in one walk down the columns.
fn masks_of(labels: &Labels, slots: &[Option<usize>]) -> Vec<(usize, Rle)> {
    let mut runs: BTreeMap<usize, Vec<(u64, u64)>> = BTreeMap::new();
    if slots.iter().all(Option::is_none) {
        return Vec::new();
    }
    let mut at = 0;
    for x in 0..labels.width {
        for y in 0..labels.height {
            if let Some(slot) = slots[labels.data[y * labels.width + x] as usize] {
                let runs = runs.entry(slot).or_default();
                match runs.last_mut() {
                    Some(last) if last.1 == at => last.1 += 1,
                    _ => runs.push((at, at + 1)),
                }
            }
            at += 1;
        }
    }
    let mask = |(slot, runs): (usize, Vec<(u64, u64)>)| {
        let mask = Rle::from_intervals(labels.width, labels.height, runs.into_iter());
        (slot, mask)
    };
    runs.into_iter().map(mask).collect()
}

/// For each region the near-duplicates that rank before it.
fn near_duplicates(
    scales: &[Labels],
    starts: &[usize],
    areas: &[u64],
) -> BTreeMap<usize, Vec<usize>> {
    let mut better: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (fine, coarse) in [(0, 1), (0, 2), (1, 2)] {
        let (Some(a), Some(b)) = (scales.get(fine), scales.get(coarse)) else {
            continue;
        };
        for (a, (b, shared)) in majorities(a, b).into_iter().enumerate() {
            let (a, b) = (starts[fine] + a, starts[coarse] + b as usize);
            let union = areas[a] + areas[b] - shared;
            if shared as f64 > NEAR_DUPLICATE * union as f64 {
                let (winner, loser) = if rank(areas, starts, a) < rank(areas, starts, b) {
                    (a, b)
                } else {
                    (b, a)
                };
                better.entry(loser).or_default().push(winner);
            }
        }
    }
    better
}

/// For each region of `a` the one of `b` that has more than half of its pixels, and how many; where none has, any other.
/// Only such a one can be its near-duplicate. (A majority vote, Boyer and Moore, then a count.)
fn majorities(a: &Labels, b: &Labels) -> Vec<(u32, u64)> {
    let mut votes: Vec<(u32, u64)> = vec![(0, 0); a.count];
    for (&a, &b) in a.data.iter().zip(&b.data) {
        let (candidate, lead) = &mut votes[a as usize];
        match *lead {
            0 => (*candidate, *lead) = (b, 1),
            _ if *candidate == b => *lead += 1,
            _ => *lead -= 1,
        }
    }
    for (_, count) in &mut votes {
        *count = 0;
    }
    for (&a, &b) in a.data.iter().zip(&b.data) {
        let (candidate, count) = &mut votes[a as usize];
        *count += u64::from(*candidate == b);
    }
    votes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(seed: u32, width: usize, height: usize) -> Rgb8 {
        let mut state = crate::noise::RandomState::new(seed);
        let sample = |i: usize, random: f64| {
            (i / 3 % width / 9 * 40 + i / 3 / width / 7 * 25) as f64 + random * 12.0
        };
        let data = (0..width * height * 3)
            .map(|i| sample(i, state.random_sample()).min(255.0) as u8)
            .collect();
        Rgb8::new(width, height, data).unwrap()
    }

    #[test]
    fn masks_are_distinct_non_empty_and_largest_first() {
        let stack = graph_masks(&noisy(1, 90, 60), 16, 128, &GraphConfig::default());
        assert!(stack.masks.len() > 10, "{}", stack.masks.len());
        assert_eq!(stack.found, stack.masks.len());
        assert!(
            stack
                .masks
                .windows(2)
                .all(|pair| pair[0].area() >= pair[1].area())
        );
        for (i, a) in stack.masks.iter().enumerate() {
            assert!(stack.masks[..i].iter().all(|b| a.iou(b) <= NEAR_DUPLICATE));
        }
    }

    #[test]
    fn every_point_lies_in_a_mask_of_every_scale_or_in_its_near_duplicate() {
        let image = noisy(2, 70, 50);
        let segmenter = GraphSegmenter::new(&image, &GraphConfig::default());
        let stack = segmenter.masks(8, 10_000);
        for [x, y] in point_grid(8, 70, 50) {
            let (x, y) = (x as usize, y as usize);
            for (labels, start) in segmenter.scales.iter().zip(&segmenter.starts) {
                let region = start + labels.data[y * 70 + x] as usize;
                let mask = &segmenter.regions(&[region])[0];
                assert_eq!(mask.area(), segmenter.areas[region]);
                assert!(mask.to_bitmap()[y * 70 + x] == 1);
                assert!(
                    stack
                        .masks
                        .iter()
                        .any(|other| other.iou(mask) > NEAR_DUPLICATE)
                );
            }
        }
    }

    #[test]
    fn fewer_slots_keep_the_largest() {
        let segmenter = GraphSegmenter::new(&noisy(3, 60, 60), &GraphConfig::default());
        let (all, few) = (segmenter.masks(16, 1000), segmenter.masks(16, 5));
        assert_eq!(few.masks, all.masks[..5]);
        assert_eq!(few.found, all.found);
    }

    #[test]
    fn flat_tiny_and_empty_images_work() {
        let flat = Rgb8::new(16, 9, vec![128; 16 * 9 * 3]).unwrap();
        let stack = graph_masks(&flat, 8, 64, &GraphConfig::default());
        assert_eq!((stack.masks.len(), stack.masks[0].area()), (1, 144));
        let dot = graph_masks(
            &Rgb8::new(1, 1, vec![0; 3]).unwrap(),
            8,
            64,
            &GraphConfig::default(),
        );
        assert_eq!(dot.masks.len(), 1);
        let empty = graph_masks(
            &Rgb8::new(0, 0, vec![]).unwrap(),
            8,
            64,
            &GraphConfig::default(),
        );
        assert!(empty.masks.is_empty());
    }
}
