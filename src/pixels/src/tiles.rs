//! A picture in a file of blocks, in tiles: a window of it is read without the rest.
//! Unaware of what the window is for.

use std::io;

use crate::blocks::{Blocks, BlocksWriter, Item, ItemWriter};
use crate::image::Rgb8;

/// Side of a tile in pixels; those at the right and the bottom edge are smaller. A window of 256×256 touches three tiles each
/// way on average, and each is long enough to be hashed at full speed.
const SIDE: usize = 128;

/// The bytes that the tiles of a picture take.
pub const fn tiled_bytes(width: usize, height: usize) -> u64 {
    width as u64 * height as u64 * 3
}

/// Writes a picture as an item of this name.
pub fn write_tiles(writer: &BlocksWriter, name: &str, image: &Rgb8) -> io::Result<Item> {
    let mut item = writer.item(tiled_bytes(image.width, image.height));
    push_tiles(&mut item, image)?;
    item.finish(name.to_owned(), image.width, image.height)
}

/// Writes the tiles of a picture, row of tiles by row of tiles.
pub fn push_tiles(item: &mut ItemWriter<'_>, image: &Rgb8) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(image.width * SIDE.min(image.height) * 3);
    for top in (0..image.height).step_by(SIDE) {
        let rows = top..(top + SIDE).min(image.height);
        bytes.clear();
        for left in (0..image.width).step_by(SIDE) {
            let right = (left + SIDE).min(image.width);
            for y in rows.clone() {
                bytes.extend(&image.row(y)[left * 3..right * 3]);
            }
        }
        let lefts = (0..image.width).step_by(SIDE);
        let lengths = lefts.map(|left| SIDE.min(image.width - left) * rows.len() * 3);
        item.push(&bytes, lengths)?;
    }
    Ok(())
}

/// A window of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Pixels a row; not 0.
    pub width: usize,
    /// Rows; not 0.
    pub height: usize,
}

impl Window {
    /// The tiles across that it touches, and those down.
    fn tiles(&self) -> [std::ops::Range<usize>; 2] {
        let tiles = |at: usize, length: usize| at / SIDE..(at + length).div_ceil(SIDE);
        [tiles(self.x, self.width), tiles(self.y, self.height)]
    }
}

/// Reads a window of the item of this place into `out`: height × width × 3, R, G, B. `scratch` is for the tiles.
/// Errors: those of [`Blocks::read`].
pub fn read_tiles(
    blocks: &Blocks,
    at: usize,
    window: Window,
    scratch: &mut Vec<u8>,
    out: &mut [u8],
) -> io::Result<()> {
    let item = inside(blocks, at, window)?;
    let Window {
        x,
        y,
        width,
        height,
    } = window;
    let [across, down] = window.tiles();
    for row in down {
        let first = row * item.width.div_ceil(SIDE);
        blocks.read(at, first + across.start..first + across.end, scratch)?;
        let (top, rows) = (row * SIDE, SIDE.min(item.height - row * SIDE));
        let mut tile = scratch.as_slice();
        for left in across.clone().map(|column| column * SIDE) {
            let wide = SIDE.min(item.width - left);
            let (own, behind) = tile.split_at_checked(wide * rows * 3).ok_or_else(misfit)?;
            tile = behind;
            let (from, to) = (left.max(x), (left + wide).min(x + width));
            for line in top.max(y)..(top + rows).min(y + height) {
                let source = &own[((line - top) * wide + from - left) * 3..][..(to - from) * 3];
                out[((line - y) * width + from - x) * 3..][..source.len()].copy_from_slice(source);
            }
        }
    }
    Ok(())
}

/// Asks the kernel to have a window ready soon.
pub fn prefetch_tiles(blocks: &Blocks, at: usize, window: Window) {
    let Ok(item) = inside(blocks, at, window) else {
        return;
    };
    let [across, down] = window.tiles();
    for row in down {
        let first = row * item.width.div_ceil(SIDE);
        blocks.prefetch(at, first + across.start..first + across.end);
    }
}

/// The item, if the window lies inside it.
fn inside(blocks: &Blocks, at: usize, window: Window) -> io::Result<&Item> {
    let item = blocks.items().get(at).ok_or_else(misfit)?;
    let fits = window.x + window.width <= item.width && window.y + window.height <= item.height;
    fits.then_some(item).ok_or_else(misfit)
}

fn misfit() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its pictures have other sizes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::RandomState;

    #[test]
    fn windows_are_those_of_the_picture() {
        let mut state = RandomState::new(1);
        for (width, height) in [(300, 260), (128, 128), (5, 3), (129, 1)] {
            let data = (0..width * height * 3)
                .map(|_| state.next_u32() as u8)
                .collect();
            let image = Rgb8::new(width, height, data).unwrap();
            let file = tempfile::tempfile().unwrap();
            let writer = BlocksWriter::new(file, &[1; 32]).unwrap();
            let item = write_tiles(&writer, "a", &image).unwrap();
            let file = writer.finish(&[item]).unwrap();
            let blocks = Blocks::open(file, &[1; 32]).unwrap();
            let mut below = |n: usize| state.next_u32() as usize % n;
            for _ in 0..50 {
                let (w, h) = (1 + below(width), 1 + below(height));
                let (x, y) = (below(width - w + 1), below(height - h + 1));
                let mut out = vec![0; w * h * 3];
                let window = Window {
                    x,
                    y,
                    width: w,
                    height: h,
                };
                read_tiles(&blocks, 0, window, &mut Vec::new(), &mut out).unwrap();
                assert_eq!(out, image.crop(x, y, w, h).unwrap().data, "{window:?}");
            }
            let beyond = Window {
                x: 1,
                y: 0,
                width,
                height,
            };
            assert!(read_tiles(&blocks, 0, beyond, &mut Vec::new(), &mut []).is_err());
        }
    }
}
