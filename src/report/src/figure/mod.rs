//! Figures of crops: masks, LQ, GT, baseline, tuned and the difference of the two, in the form of the paper's Figures 4
//! to 6. Unaware of running anything; it reads the outputs it is pointed at.
//!
//! ```text
//!   Figure (crops, better, worse)      pairs, masks, restored images of two evaluations, metrics.csv
//!                \                         /
//!                 v                       v
//!        choose: where tuned gains or loses most      read: an image as all panels need it
//!                            \                         /
//!                             v                       v
//!                              panels: six pictures a crop, PSNR of those that have one
//!                                |
//!                                +──> figure.png (draw)    figure.csv    figure.txt
//!                                └──> layout ──> figure.svg (svg)    figure.pdf (pdf)
//! ```

mod choose;
mod draw;
mod layout;
mod panels;
mod pdf;
mod read;
mod svg;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use read::{FigureError, Sources};

/// Draws the figure into `out`; returns its caption.
pub fn write(
    figure: &spec::kinds::Figure,
    sources: &Sources,
    out: &Path,
) -> Result<String, FigureError> {
    let set = read::Set::open(sources)?;
    let crops = choose::crops(figure, &set)?;
    let gain = panels::gain(figure, &set, &crops)?;
    let rows = panels::rows(figure, &set, &crops, gain)?;
    let caption = panels::caption(figure, &set, &rows, gain);
    pixels::write_png(&out.join("figure.png"), &draw::picture(&rows))?;
    let layout = layout::layout(&rows);
    let pdf = pdf::pdf(&layout).map_err(FigureError::encode("figure.pdf"))?;
    let files = [
        ("figure.svg", svg::svg(&layout, &caption)?.into_bytes()),
        ("figure.pdf", pdf),
        ("figure.csv", panels::csv(&rows)?.into_bytes()),
        ("figure.txt", caption.clone().into_bytes()),
    ];
    for (name, bytes) in files {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(|e| FigureError::file("write", &path, &e))?;
    }
    Ok(caption)
}
