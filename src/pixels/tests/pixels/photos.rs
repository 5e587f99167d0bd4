//! Graph masks of the sample photographs: finer grids find more, and mask stacks are small.
//! Unaware of what the photographs show.

use std::path::{Path, PathBuf};

use pixels::{
    GraphConfig, GraphSegmenter, MaskStack, Rgb8, list_images, matlab_bicubic_u8, read_rgb8,
};

/// Prompt points a side and mask channels of coarse, medium and fine (paper, section on granularity).
const GRANULARITIES: [(usize, usize); 3] = [(8, 64), (16, 128), (24, 256)];

/// Every sample photograph.
fn photographs() -> Vec<(PathBuf, Rgb8)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/photos");
    let paths = ["train", "test"]
        .into_iter()
        .flat_map(|part| list_images(&folder.join(part), false).unwrap().files);
    paths
        .map(|file| (file.path.clone(), read_rgb8(&file.path).unwrap().image))
        .collect()
}

/// The masks of every granularity, checked: a finer grid keeps more.
fn stacks(name: &str, image: &Rgb8) -> [MaskStack; 3] {
    let segmenter = GraphSegmenter::new(image, &GraphConfig::default());
    let stacks = GRANULARITIES.map(|(grid, slots)| segmenter.masks(grid, slots));
    let found = stacks.each_ref().map(|stack| stack.found);
    let kept = stacks.each_ref().map(|stack| stack.masks.len());
    println!(
        "{name:16} {}x{}: found {found:?}, kept {kept:?}",
        image.width, image.height
    );
    assert!(kept[0] < kept[1] && kept[1] < kept[2], "{name}: {kept:?}");
    stacks
}

#[test]
fn a_finer_grid_finds_more_masks_on_every_photograph() {
    let photographs = photographs();
    assert_eq!(photographs.len(), 7);
    for (path, image) in photographs {
        stacks(&path.file_name().unwrap().to_string_lossy(), &image);
    }
}

#[test]
fn a_quarter_of_the_size_finds_more_too_and_is_stored_in_a_fifth_of_packed_bits() {
    for (path, image) in photographs() {
        let name = path.file_name().unwrap().to_string_lossy();
        let image = matlab_bicubic_u8(&image.mod_crop(4).unwrap(), 4);
        for stack in stacks(&name, &image) {
            let packed = stack.masks.len() * (image.width * image.height).div_ceil(8);
            let stored = stack.to_bytes().len();
            println!(
                "{name:16} {}: {stored} of {packed} bytes, 1/{:.1}",
                stack.slots,
                packed as f64 / stored as f64
            );
            assert!(stored * 5 <= packed, "{name}: {stored} of {packed}");
        }
    }
}
