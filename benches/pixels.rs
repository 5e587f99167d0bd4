//! Times of what every experiment repeats: PSNR with SSIM, the quarter-size resize, and masks of a photograph.
//! Unaware of other codes; `benches/basicsr.py` compares.

fn main() {
    divan::main();
}
