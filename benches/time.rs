//! Prints the seconds of one run each of PSNR with SSIM and of the quarter-size resize, for `benches/basicsr.py`.
//! Unaware of other codes; statistics are the script's matter.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::hint::black_box;
use std::time::Instant;

use pixels::{Channel, RandomState, Rgb8};

/// An image of 2040×1356 random samples around a ramp.
fn large(seed: u32) -> Rgb8 {
    let mut state = RandomState::new(seed);
    let ramp = |i: usize| (i / 3 % 2040 * 200 / 2040) as u32;
    let data = (0..2040 * 1356 * 3).map(|i| (ramp(i) + state.next_u32() % 40) as u8);
    Rgb8 {
        width: 2040,
        height: 1356,
        data: data.collect(),
    }
}

/// The seconds of the second of two runs.
fn seconds<T>(mut work: impl FnMut() -> T) -> f64 {
    black_box(work());
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

fn main() {
    let (a, b) = (large(1), large(2));
    println!(
        "psnr+ssim {}",
        seconds(|| pixels::metrics(&a, &b, 4, Channel::YUnrounded))
    );
    println!("resize {}", seconds(|| pixels::matlab_bicubic_u8(&a, 4)));
}
