//! The figure as SVG: panels as pictures within it, everything that is written as text.
//! Unaware of where things stand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pixels::{PixelError, encode_png};

use super::layout::{Item, Layout};
use crate::xml::escaped;

const STYLE: &str = "\
    text { font-family: Helvetica, Arial, 'Liberation Sans', sans-serif; font-size: 13px; fill: #1d2329; }
    .page { fill: #ffffff; } .name { font-weight: 600; } .box { fill: none; stroke: #e69f00; stroke-width: 2; }
    image { image-rendering: pixelated; }
    @media (prefers-color-scheme: dark) { text { fill: #e8ebef; } .page { fill: #14181d; } }
";

/// The text of an `.svg` file.
pub(super) fn svg(layout: &Layout<'_>, caption: &str) -> Result<String, PixelError> {
    let Layout {
        width,
        height,
        items,
    } = layout;
    let title = escaped(caption.lines().next().unwrap_or_default());
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for item in items {
        out += &drawn(item)?;
    }
    Ok(out + "</svg>\n")
}

fn drawn(item: &Item<'_>) -> Result<String, PixelError> {
    Ok(match item {
        Item::Text {
            at: (x, y),
            bold,
            content,
        } => {
            let class = if *bold { "name" } else { "" };
            let content = escaped(content);
            format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{content}</text>\n")
        }
        Item::Picture {
            at: (x, y),
            size: (width, height),
            picture,
        } => {
            let data = STANDARD.encode(encode_png(picture)?);
            format!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
                 href=\"data:image/png;base64,{data}\"/>\n"
            )
        }
        Item::Outline([x, y, width, height]) => format!(
            "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n"
        ),
    })
}
