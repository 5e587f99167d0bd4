//! The embedded segmenter: prompt points answered with regions of three scales, for work without SAM's weights.
//! Unaware of granularities' names and of files.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::image::Rgb8;
use crate::prompt::point_grid;
use crate::rle::Rle;
use crate::segment::{Labels, SortedEdges};
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
    regions: Vec<Region>,
    /// Where each scale's regions start in `regions`.
    starts: Vec<usize>,
    /// For each region those near-duplicates of it that win over it, as indices.
    better: BTreeMap<usize, Vec<usize>>,
}

/// One region of one scale.
struct Region {
    mask: Rle,
    area: u64,
}

impl GraphSegmenter {
    /// Cuts `image` at the three scales.
    pub fn new(image: &Rgb8, config: &GraphConfig) -> Self {
        let edges = SortedEdges::new(image, config.sigma);
        let scales: Vec<Labels> = config
            .k
            .par_iter()
            .map(|&k| edges.segment(k, config.min_size))
            .collect();
        let regions: Vec<Region> = scales.iter().flat_map(regions_of).collect();
        let starts = scales.iter().scan(0, |next, labels| {
            let start = *next;
            *next += labels.count;
            Some(start)
        });
        let starts: Vec<usize> = starts.collect();
        let better = near_duplicates(&scales, &starts, &regions);
        Self {
            scales,
            regions,
            starts,
            better,
        }
    }

    /// The masks of a `grid`×`grid` prompt: the regions of each scale under each point, without duplicates and
    /// near-duplicates, largest first (then coarser partition, then first in reading order), at most `slots`.
    pub fn masks(&self, grid: usize, slots: usize) -> MaskStack {
        let kept = self.prompted(grid);
        let masks = kept
            .iter()
            .take(slots)
            .map(|&region| self.regions[region].mask.clone())
            .collect();
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

    /// The regions that stay, best first.
    fn prompted(&self, grid: usize) -> Vec<usize> {
        let mut wanted = vec![false; self.regions.len()];
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
        rank(&self.regions, &self.starts, region)
    }
}

/// Bytes that segmenting takes for each pixel at its peak: the smoothed image twice, the edges while they are sorted,
/// three forests and three pictures of labels. `pipeline masks` on noise, which is the worst, took 92.
pub const GRAPH_BYTES: u64 = 120;

/// [`GraphSegmenter::masks`] of one grid of `image`.
pub fn graph_masks(image: &Rgb8, grid: usize, slots: usize, config: &GraphConfig) -> MaskStack {
    GraphSegmenter::new(image, config).masks(grid, slots)
}

fn rank(
    regions: &[Region],
    starts: &[usize],
    region: usize,
) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<usize>, usize) {
    let scale = starts.partition_point(|&start| start <= region);
    (
        std::cmp::Reverse(regions[region].area),
        std::cmp::Reverse(scale),
        region,
    )
}

/// All regions of a partition as masks, in one walk down its columns.
fn regions_of(labels: &Labels) -> Vec<Region> {
    let mut runs: Vec<Vec<(u64, u64)>> = vec![vec![]; labels.count];
    let mut at = 0;
    for x in 0..labels.width {
        for y in 0..labels.height {
            let runs = &mut runs[labels.data[y * labels.width + x] as usize];
            match runs.last_mut() {
                Some(last) if last.1 == at => last.1 += 1,
                _ => runs.push((at, at + 1)),
            }
            at += 1;
        }
    }
    let region = |runs: Vec<(u64, u64)>| {
        let area = runs.iter().map(|(start, end)| end - start).sum();
        Region {
            mask: Rle::from_intervals(labels.width, labels.height, runs.into_iter()),
            area,
        }
    };
    runs.into_iter().map(region).collect()
}

/// For each region the near-duplicates that rank before it. Regions of one scale are disjoint, so one walk over
/// the pixels counts every overlap of two scales.
fn near_duplicates(
    scales: &[Labels],
    starts: &[usize],
    regions: &[Region],
) -> BTreeMap<usize, Vec<usize>> {
    let mut better: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (fine, coarse) in [(0, 1), (0, 2), (1, 2)] {
        for ((a, b), shared) in overlaps(&scales[fine], &scales[coarse]) {
            let (a, b) = (starts[fine] + a as usize, starts[coarse] + b as usize);
            let union = regions[a].area + regions[b].area - shared;
            if shared as f64 > NEAR_DUPLICATE * union as f64 {
                let (winner, loser) = if rank(regions, starts, a) < rank(regions, starts, b) {
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

/// The number of pixels that each pair of labels shares.
fn overlaps(a: &Labels, b: &Labels) -> Vec<((u32, u32), u64)> {
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    let mut runs: Vec<u64> = Vec::new();
    for pair in a.data.iter().copied().zip(b.data.iter().copied()) {
        if pairs.last() == Some(&pair) {
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        } else {
            pairs.push(pair);
            runs.push(1);
        }
    }
    let mut counted: Vec<((u32, u32), u64)> = pairs.into_iter().zip(runs).collect();
    counted.sort_unstable();
    counted.dedup_by(|next, first| {
        let same = next.0 == first.0;
        first.1 += if same { next.1 } else { 0 };
        same
    });
    counted
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
                let region = &segmenter.regions[start + labels.data[y * 70 + x] as usize];
                assert!(region.mask.to_bitmap()[y * 70 + x] == 1);
                assert!(
                    stack
                        .masks
                        .iter()
                        .any(|mask| mask.iou(&region.mask) > NEAR_DUPLICATE)
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
