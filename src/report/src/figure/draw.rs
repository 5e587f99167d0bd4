//! Panels side by side on a white page, with names above and numbers below.
//! Unaware of what they show.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_6X13;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use pixels::Rgb8;

use super::choose::Chosen;
use super::panels::Row;

/// Between panels, and around all.
const GAP: usize = 8;
/// Height and width of a letter.
const LETTER: (usize, usize) = (6, 13);
/// A line of text with the space around it.
const LINE: usize = LETTER.1 + 4;

/// The page: black text on white.
struct Page(Rgb8);

/// All rows, one below the other.
pub(super) fn picture(rows: &[Row]) -> Rgb8 {
    let widths = rows.iter().map(width);
    let width = widths.max().unwrap_or(0).max(40 * LETTER.0) + 2 * GAP;
    let down = rows.iter().map(height).sum::<usize>() + GAP;
    let mut page = Page(Rgb8 {
        width,
        height: down,
        data: vec![255; width * down * 3],
    });
    let mut top = GAP;
    for row in rows {
        row_at(&mut page, row, top);
        top += height(row);
    }
    page.0
}

fn width(row: &Row) -> usize {
    let panels: usize = row
        .panels
        .iter()
        .map(|p| p.picture.width.max(least()) + GAP)
        .sum();
    panels.saturating_sub(GAP)
}

/// A panel's place is wide enough for its name and its number.
const fn least() -> usize {
    13 * LETTER.0
}

/// A line about the crop, the names, the pictures, the numbers, and the gap to the next row.
fn height(row: &Row) -> usize {
    let picture = row.panels.first().map_or(0, |p| p.picture.height);
    picture + 3 * LINE + GAP
}

fn row_at(page: &mut Page, row: &Row, top: usize) {
    let Chosen { image, why, .. } = &row.crop;
    let title = format!("{image}  {}  {}", row.crop.place(), why.word());
    page.text(&title, GAP, top);
    let mut left = GAP;
    for panel in &row.panels {
        page.text(&panel.name, left, top + LINE);
        page.paste(&panel.picture, left, top + 2 * LINE);
        page.text(
            &panel.score(),
            left,
            top + 2 * LINE + panel.picture.height + 2,
        );
        left += panel.picture.width.max(least()) + GAP;
    }
}

impl Page {
    fn paste(&mut self, picture: &Rgb8, left: usize, top: usize) {
        for y in 0..picture.height {
            let at = ((top + y) * self.0.width + left) * 3;
            self.0.data[at..at + picture.width * 3].copy_from_slice(picture.row(y));
        }
    }

    /// Text whose top left is there; letters that the font lacks are question marks, and what leaves the page is cut.
    fn text(&mut self, text: &str, left: usize, top: usize) {
        let style = MonoTextStyle::new(&FONT_6X13, BinaryColor::On);
        let at = Point::new(left as i32, top as i32);
        let Ok(_) = Text::with_baseline(text, at, style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for Page {
    fn size(&self) -> Size {
        Size::new(self.0.width as u32, self.0.height as u32)
    }
}

impl DrawTarget for Page {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(Point { x, y }, color) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
                continue;
            };
            if color.is_on() && x < self.0.width && y < self.0.height {
                let at = (y * self.0.width + x) * 3;
                self.0.data[at..at + 3].fill(0);
            }
        }
        Ok(())
    }
}
