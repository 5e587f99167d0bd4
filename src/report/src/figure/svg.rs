//! The figure as SVG: panels as pictures within it, everything that is written as text, the whole image with the place of the
//! crop on it. Unaware of how panels were made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pixels::{PixelError, Rgb8, encode_png};

use super::choose::Chosen;
use super::panels::Row;
use crate::xml::escaped;

/// Between panels, and around all.
const GAP: usize = 12;
/// A line of text with the space around it.
const LINE: usize = 18;

const STYLE: &str = "\
    text { font-family: Helvetica, Arial, 'Liberation Sans', sans-serif; font-size: 13px; fill: #1d2329; }
    .page { fill: #ffffff; } .name { font-weight: 600; } .box { fill: none; stroke: #e69f00; stroke-width: 2; }
    image { image-rendering: pixelated; }
    @media (prefers-color-scheme: dark) { text { fill: #e8ebef; } .page { fill: #14181d; } }
";

/// The text of an `.svg` file.
pub(super) fn svg(rows: &[Row], caption: &str) -> Result<String, PixelError> {
    let width = rows.iter().map(width).max().unwrap_or(0).max(320) + 2 * GAP;
    let height = rows.iter().map(height).sum::<usize>() + GAP;
    let title = escaped(caption.lines().next().unwrap_or_default());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    let mut top = GAP;
    for row in rows {
        out += &drawn(row, top)?;
        top += self::height(row);
    }
    Ok(out + "</svg>\n")
}

/// The panels' height; the whole image is shown as high.
fn panel_height(row: &Row) -> usize {
    row.panels.first().map_or(0, |p| p.picture.height)
}

fn whole_width(row: &Row) -> usize {
    (row.whole.width * panel_height(row)).div_ceil(row.whole.height.max(1))
}

fn width(row: &Row) -> usize {
    let panels = row.panels.iter().map(|p| p.picture.width + GAP);
    whole_width(row) + panels.sum::<usize>()
}

/// A line about the crop, the names, the pictures, the numbers, and the gap to the next row.
fn height(row: &Row) -> usize {
    panel_height(row) + 3 * LINE + GAP
}

fn drawn(row: &Row, top: usize) -> Result<String, PixelError> {
    let Chosen {
        image,
        x,
        y,
        width,
        height,
        why,
    } = &row.crop;
    let title = format!("{image}, {width}×{height} at {x}, {y}, {}", why.word());
    let mut out = text("name", GAP, top + 13, &title);
    let (at, tall) = (top + 2 * LINE, panel_height(row));
    out += &text("", GAP, at - 5, "whole image");
    out += &picture(&row.whole, (GAP, at), (whole_width(row), tall))?;
    let scale = tall as f64 / row.size.1.max(1) as f64;
    let place = [*x, *y, *width, *height].map(|v| v as f64 * scale);
    out += &format!(
        "<rect class=\"box\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\n",
        GAP as f64 + place[0],
        at as f64 + place[1],
        place[2],
        place[3]
    );
    let mut left = GAP + whole_width(row) + GAP;
    for panel in &row.panels {
        out += &text("", left, at - 5, &panel.name);
        let size = (panel.picture.width, panel.picture.height);
        out += &picture(&panel.picture, (left, at), size)?;
        out += &text("", left, at + tall + 15, &panel.score());
        left += panel.picture.width + GAP;
    }
    Ok(out)
}

fn picture(
    image: &Rgb8,
    (x, y): (usize, usize),
    (width, height): (usize, usize),
) -> Result<String, PixelError> {
    let data = STANDARD.encode(encode_png(image)?);
    Ok(format!(
        "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
         href=\"data:image/png;base64,{data}\"/>\n"
    ))
}

fn text(class: &str, x: usize, y: usize, content: &str) -> String {
    let content = escaped(content);
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{content}</text>\n")
}
