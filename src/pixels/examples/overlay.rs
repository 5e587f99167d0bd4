//! `overlay IMAGE OUT.png [GRID SLOTS]`: the graph segmenter's masks on an image, each in its own colour.
//! Unaware of stages; for looking at masks, and for the picture in the README.

use std::path::Path;
use std::process::ExitCode;

use pixels::{GraphConfig, PixelError, graph_masks, overlay, read_rgb8, write_png};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let [image, out, ..] = args.as_slice() else {
        return fail("usage: overlay IMAGE OUT.png [GRID SLOTS]");
    };
    match draw(
        Path::new(image),
        Path::new(out),
        number(2, 8),
        number(3, 64),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn draw(image: &Path, out: &Path, grid: usize, slots: usize) -> Result<(), PixelError> {
    let image = read_rgb8(image)?.image;
    let stack = graph_masks(&image, grid, slots, &GraphConfig::default());
    write_png(out, &overlay(&image, &stack))
}

#[expect(clippy::print_stderr, reason = "a program for the command line")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
