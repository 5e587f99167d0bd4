//! Where everything stands on a figure that can be made larger without loss: texts, pictures, and the box of each crop on the
//! whole image. Unaware of file formats, and of how panels were made.

use pixels::Rgb8;

use super::panels::Row;

/// Between panels, and around all.
const GAP: usize = 12;
/// A line of text with the space around it.
const LINE: usize = 18;

/// The page: its size in pixels of a screen, and what is on it from the back to the front.
pub(super) struct Layout<'a> {
    pub width: usize,
    pub height: usize,
    pub items: Vec<Item<'a>>,
}

/// Something on the page; places are those of its top left, of a text of the left end of its base line.
pub(super) enum Item<'a> {
    Text {
        at: (usize, usize),
        bold: bool,
        content: String,
    },
    Picture {
        at: (usize, usize),
        size: (usize, usize),
        picture: &'a Rgb8,
    },
    /// The outline of a place on a picture: left, top, width, height.
    Outline([f64; 4]),
}

/// All rows, one below the other.
pub(super) fn layout(rows: &[Row]) -> Layout<'_> {
    let mut items = Vec::new();
    let mut top = GAP;
    for row in rows {
        place(row, top, &mut items);
        top += height(row);
    }
    Layout {
        width: rows.iter().map(width).max().unwrap_or(0).max(320) + 2 * GAP,
        height: rows.iter().map(height).sum::<usize>() + GAP,
        items,
    }
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

fn place<'a>(row: &'a Row, top: usize, items: &mut Vec<Item<'a>>) {
    let crop = &row.crop;
    let (at, tall) = (top + 2 * LINE, panel_height(row));
    let title = format!("{}, {}, {}", crop.image, crop.place(), crop.why.word());
    items.push(text(true, (GAP, top + 13), title));
    items.push(text(false, (GAP, at - 5), "whole image"));
    items.push(Item::Picture {
        at: (GAP, at),
        size: (whole_width(row), tall),
        picture: &row.whole,
    });
    let scale = tall as f64 / row.size.1.max(1) as f64;
    let [x, y, width, height] = [crop.x, crop.y, crop.width, crop.height].map(|v| v as f64 * scale);
    items.push(Item::Outline([
        GAP as f64 + x,
        at as f64 + y,
        width,
        height,
    ]));
    let mut left = GAP + whole_width(row) + GAP;
    for panel in &row.panels {
        items.push(text(false, (left, at - 5), panel.name.as_str()));
        items.push(Item::Picture {
            at: (left, at),
            size: (panel.picture.width, panel.picture.height),
            picture: &panel.picture,
        });
        items.push(text(false, (left, at + tall + 15), panel.score()));
        left += panel.picture.width + GAP;
    }
}

fn text<'a>(bold: bool, at: (usize, usize), content: impl Into<String>) -> Item<'a> {
    Item::Text {
        at,
        bold,
        content: content.into(),
    }
}
