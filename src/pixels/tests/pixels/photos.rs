//! Graph masks of the sample photographs: finer grids find more, and mask stacks are small.
//! Unaware of what the photographs show.

use std::path::{Path, PathBuf};

use pixels::{GraphConfig, GraphSegmenter, Rgb8, list_images, matlab_bicubic_u8, read_rgb8};

/// Prompt points a side and mask channels of coarse, medium and fine (paper, section on granularity).
const GRANULARITIES: [(usize, usize); 3] = [(8, 64), (16, 128), (24, 256)];

/// Every sample photograph at a quarter of its size and at full size.
fn photographs() -> Vec<(PathBuf, Rgb8)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/photos");
    let paths = ["train", "test"]
        .into_iter()
        .flat_map(|part| list_images(&folder.join(part)).unwrap());
    let both = |path: PathBuf| {
        let full = read_rgb8(&path).unwrap().image;
        let quarter = matlab_bicubic_u8(&full.mod_crop(4).unwrap(), 4);
        [(path.clone(), quarter), (path, full)]
    };
    paths.flat_map(both).collect()
}

#[test]
fn a_finer_grid_finds_more_masks_on_every_photograph() {
    let photographs = photographs();
    assert_eq!(photographs.len(), 14);
    for (path, image) in photographs {
        let segmenter = GraphSegmenter::new(&image, &GraphConfig::default());
        let stacks = GRANULARITIES.map(|(grid, slots)| segmenter.masks(grid, slots));
        let name = path.file_name().unwrap().to_string_lossy();
        let found = stacks.each_ref().map(|stack| stack.found);
        let kept = stacks.each_ref().map(|stack| stack.masks.len());
        println!(
            "{name:16} {}x{}: found {found:?}, kept {kept:?}",
            image.width, image.height
        );
        assert!(kept[0] < kept[1] && kept[1] < kept[2], "{name}: {kept:?}");
    }
}

#[test]
fn mask_stacks_are_at_most_a_fifth_of_packed_bits() {
    for (path, image) in photographs() {
        let segmenter = GraphSegmenter::new(&image, &GraphConfig::default());
        for (grid, slots) in GRANULARITIES {
            let stack = segmenter.masks(grid, slots);
            let packed = stack.masks.len() * (image.width * image.height).div_ceil(8);
            let stored = stack.to_bytes().len();
            let name = path.file_name().unwrap().to_string_lossy();
            println!(
                "{name:16} {grid:2}: {stored} of {packed} bytes, 1/{:.1}",
                packed as f64 / stored as f64
            );
            assert!(stored * 5 <= packed, "{name}: {stored} of {packed}");
        }
    }
}
