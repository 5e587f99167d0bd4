//! Small holes and islands of masks, removed (official `amg.py`, `remove_small_regions`, which uses OpenCV).
//! Unaware of networks, boxes and scores.

use pixels::Rle;

/// `mask` without holes, then without islands, of fewer than `min_area` pixels; nothing if it has none.
///
/// Neighbours are 8-connected. If all islands are too small, the largest stays.
pub fn cleaned(mask: &Rle, min_area: u64) -> Option<Rle> {
    let (width, height) = (mask.width(), mask.height());
    let mut bits = mask.to_bitmap();
    let filled = fill_holes(&mut bits, width, height, min_area);
    let removed = remove_islands(&mut bits, width, height, min_area);
    if !filled && !removed {
        return None;
    }
    Rle::from_bitmap(&bits, width, height).ok()
}

/// Fills the small regions of zeros; whether there were any.
fn fill_holes(bits: &mut [u8], width: usize, height: usize, min_area: u64) -> bool {
    let holes = regions(bits, 0, width, height);
    let small = holes
        .iter()
        .filter(|region| (region.len() as u64) < min_area);
    let mut any = false;
    for region in small {
        for &i in region {
            bits[i] = 1;
        }
        any = true;
    }
    any
}

/// Removes the small regions of ones; whether there were any.
fn remove_islands(bits: &mut [u8], width: usize, height: usize, min_area: u64) -> bool {
    let islands = regions(bits, 1, width, height);
    let is_small = |region: &&Vec<usize>| (region.len() as u64) < min_area;
    let small = islands.iter().filter(is_small).count();
    let spared = (small == islands.len()).then(|| largest(&islands, width));
    for (k, region) in islands.iter().enumerate() {
        if is_small(&region) && spared != Some(k) {
            for &i in region {
                bits[i] = 0;
            }
        }
    }
    small > 0
}

/// The largest region. Of equal ones the one that OpenCV numbers first: it scans blocks of 2×2 pixels.
fn largest(regions: &[Vec<usize>], width: usize) -> usize {
    let block = |&i: &usize| (i / width / 2, i % width / 2);
    let rank = |k: &usize| {
        let first = regions[*k].iter().map(block).min();
        (std::cmp::Reverse(regions[*k].len()), first)
    };
    (0..regions.len()).min_by_key(rank).unwrap_or(0)
}

/// The pixels of each 8-connected region of `value`, regions in the order of their first pixels.
fn regions(bits: &[u8], value: u8, width: usize, height: usize) -> Vec<Vec<usize>> {
    let mut seen = vec![false; bits.len()];
    let mut found = Vec::new();
    for start in 0..bits.len() {
        if bits[start] == value && !seen[start] {
            found.push(region(bits, start, (width, height), &mut seen));
        }
    }
    found
}

/// The region around `start`, marked as seen.
fn region(bits: &[u8], start: usize, size: (usize, usize), seen: &mut [bool]) -> Vec<usize> {
    seen[start] = true;
    let mut pixels = vec![start];
    let mut at = 0;
    while let Some(&pixel) = pixels.get(at) {
        for i in neighbours(pixel, size) {
            if bits[i] == bits[start] && !seen[i] {
                seen[i] = true;
                pixels.push(i);
            }
        }
        at += 1;
    }
    pixels
}

/// The pixel and its up to 8 neighbours inside the image.
fn neighbours(pixel: usize, (width, height): (usize, usize)) -> impl Iterator<Item = usize> {
    let (x, y) = (pixel % width, pixel / width);
    let around = |at: usize, side: usize| at.saturating_sub(1)..(at + 2).min(side);
    around(y, height).flat_map(move |y| around(x, width).map(move |x| y * width + x))
}
