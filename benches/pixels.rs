//! Times of what every experiment repeats: PSNR with SSIM, the quarter-size resize, and masks of a photograph.
//! Unaware of other codes; `benches/basicsr.py` compares.

use std::path::Path;

use divan::{Bencher, black_box};
use pixels::{Channel, GraphConfig, GraphSegmenter, RandomState, Rgb8};

fn main() {
    divan::main();
}

/// A smooth image of 2040×1356 with noise, as large as DIV2K's.
fn large(seed: u32) -> Rgb8 {
    let mut state = RandomState::new(seed);
    let smooth =
        |i: usize| (i / 3 % 2040 * 200 / 2040 + i / 3 / 2040 * 30 / 1356 + i % 3 * 8) as f64;
    let data = (0..2040 * 1356 * 3).map(|i| (smooth(i) + state.random_sample() * 12.0) as u8);
    Rgb8 {
        width: 2040,
        height: 1356,
        data: data.collect(),
    }
}

#[divan::bench(sample_count = 15, args = [Channel::YUnrounded, Channel::YRounded, Channel::Rgb])]
fn psnr_and_ssim(bencher: Bencher, channel: Channel) {
    let (a, b) = (large(1), large(2));
    bencher.bench(|| pixels::metrics(black_box(&a), &b, 4, channel));
}

#[divan::bench(sample_count = 15)]
fn psnr(bencher: Bencher) {
    let (a, b) = (large(1), large(2));
    bencher.bench(|| pixels::psnr(black_box(&a), &b, 4, Channel::YUnrounded));
}

#[divan::bench(sample_count = 31, args = [2, 3, 4])]
fn resize(bencher: Bencher, scale: usize) {
    let image = large(1);
    bencher.bench(|| pixels::matlab_bicubic_u8(black_box(&image), scale));
}

/// A sample photograph, 512×512.
fn photograph() -> Rgb8 {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/photos/test/astronaut.png");
    pixels::read_rgb8(&path).map_or_else(|_| large(1), |loaded| loaded.image)
}

#[divan::bench(sample_count = 31, args = [1, 4])]
fn graph_masks_of_three_granularities(bencher: Bencher, shrink: usize) {
    let image = pixels::matlab_bicubic_u8(&photograph(), shrink);
    bencher.bench(|| {
        let segmenter = GraphSegmenter::new(black_box(&image), &GraphConfig::default());
        [(8, 64), (16, 128), (24, 256)].map(|(grid, slots)| segmenter.masks(grid, slots))
    });
}

#[divan::bench(sample_count = 31)]
fn mask_stack_to_bytes(bencher: Bencher) {
    let image = pixels::matlab_bicubic_u8(&photograph(), 4);
    let stack = pixels::graph_masks(&image, 24, 256, &GraphConfig::default());
    bencher.bench(|| black_box(&stack).to_bytes());
}

#[divan::bench(sample_count = 31)]
fn a_training_crop_of_64_masks(bencher: Bencher) {
    let image = pixels::matlab_bicubic_u8(&photograph(), 1);
    let stack = pixels::graph_masks(&image, 8, 64, &GraphConfig::default());
    let mut out = vec![0; 64 * 64 * 64];
    bencher.bench_local(|| stack.crop_into(200, 220, 64, 64, black_box(&mut out)));
}
