//! Times the evaluation of one image of 2040×1356 through IMDN ×4: 510×339 LR pixels to 8-bit output, PSNR and SSIM.
//! Unaware of `PyTorch`: `evaluate_pytorch.py` times the same there and runs this program in turns with its own.
//!
//! `cargo bench -p pipeline-worker --bench evaluate -- [runs] [threads]` prints seconds, one a line. With 0 runs it times
//! one for each line read.

#![expect(
    clippy::print_stdout,
    reason = "the printed numbers are what this program is for"
)]

use std::io::BufRead;
use std::time::Instant;

use pipeline_worker::nn::params;
use pipeline_worker::work::{LqImage, Model};
use pixels::{Channel, RandomState, Rgb8};
use spec::backbones::{Architecture, Imdn};
use spec::kinds::Tiling;

/// Random samples around a ramp.
fn image(width: usize, height: usize, seed: u32) -> Rgb8 {
    let mut state = RandomState::new(seed);
    let ramp = |i: usize| (i / 3 % width * 200 / width) as u32;
    let data = (0..width * height * 3).map(|i| (ramp(i) + state.next_u32() % 40) as u8);
    Rgb8 {
        width,
        height,
        data: data.collect(),
    }
}

fn main() {
    let numbers: Vec<i32> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let (runs, threads) = (
        numbers.first().copied().unwrap_or(7),
        numbers.get(1).copied().unwrap_or(2),
    );
    tch::set_num_threads(threads);
    let architecture = Architecture::Imdn(Imdn {
        scale: 4,
        width: 64,
        blocks: 6,
    });
    let model = Model::new(&architecture, None, tch::Device::Cpu).laid_out_for_images();
    params::draw(&model.backbone, 1);
    let (lr, hr) = (image(510, 339, 1), image(2040, 1356, 2));
    let timed = || {
        let start = Instant::now();
        let lr = LqImage {
            chw: lr.to_chw_f32(),
            width: lr.width,
            height: lr.height,
        };
        let restored = model.restore(&lr, None, Tiling::None);
        let measured = restored.map(|r| pixels::metrics(&r, &hr, 4, Channel::YUnrounded));
        assert!(measured.is_ok_and(|m| m.is_ok()));
        println!("{:.4}", start.elapsed().as_secs_f64());
    };
    timed();
    if runs == 0 {
        std::io::stdin().lock().lines().for_each(|_| timed());
    }
    (0..runs).for_each(|_| timed());
}
