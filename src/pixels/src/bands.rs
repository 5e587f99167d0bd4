//! The masks of an image in a file of blocks, in bands of columns: a window of all of them is read without the rest.
//! Unaware of what the window is for.
//!
//! ```text
//!   a band of 64 columns:  for each mask in it:  number of masks skipped | number of spans | spans
//!   a span of a column:    columns since the last span | first row | rows           (all of seven bits a byte)
//! ```

use std::io;

use crate::blocks::{Blocks, BlocksWriter, Item, ItemWriter};
use crate::rle::columns;
use crate::stack::{MaskStack, put, take};
use crate::tiles::Window;

/// Columns of a band.
const COLUMNS: usize = 64;

/// Rows `top` up to `bottom` (exclusive) of a column that are inside a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the mask.
    pub mask: usize,
    /// The column.
    pub x: usize,
    /// The first row.
    pub top: usize,
    /// The first row below.
    pub bottom: usize,
}

impl Span {
    /// The part of it in a window, counted from the window's edges.
    pub fn within(self, window: Window) -> Option<Self> {
        let Window {
            x,
            y,
            width,
            height,
        } = window;
        let (top, bottom) = (self.top.max(y), self.bottom.min(y + height));
        ((x..x + width).contains(&self.x) && top < bottom).then(|| Self {
            mask: self.mask,
            x: self.x - x,
            top: top - y,
            bottom: bottom - y,
        })
    }
}

impl MaskStack {
    /// The spans of all masks in a window, counted from its edges.
    pub fn spans_in(&self, window: Window) -> impl Iterator<Item = Span> + '_ {
        let height = self.height as u64;
        let (from, to) = (
            window.x as u64 * height,
            (window.x + window.width) as u64 * height,
        );
        let masks = self.masks.iter().enumerate();
        masks.flat_map(move |(mask, rle)| {
            let ones = rle.ones().skip_while(move |&(_, end)| end <= from);
            let ones = ones.take_while(move |&(start, _)| start < to);
            let spans = ones.flat_map(move |(start, end)| {
                columns((start.max(from), end.min(to)), rle.height())
            });
            spans.filter_map(move |(x, top, bottom)| {
                Span {
                    mask,
                    x,
                    top,
                    bottom,
                }
                .within(window)
            })
        })
    }

    /// The spans of all masks, mask by mask, each from the left.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let masks = self.masks.iter().enumerate();
        masks.flat_map(|(mask, rle)| {
            let spans = rle.ones().flat_map(|ones| columns(ones, rle.height()));
            spans.map(move |(x, top, bottom)| Span {
                mask,
                x,
                top,
                bottom,
            })
        })
    }
}

/// The bands of an image's masks, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bands(Vec<Vec<u8>>);

impl Bands {
    /// Those of these masks.
    pub fn of(stack: &MaskStack) -> Self {
        let mut bands = vec![Vec::new(); stack.width.div_ceil(COLUMNS)];
        let mut next = vec![0; bands.len()];
        let spans: Vec<Span> = stack.spans().collect();
        for own in spans.chunk_by(|a, b| (a.mask, a.x / COLUMNS) == (b.mask, b.x / COLUMNS)) {
            let (mask, band) = (own[0].mask, own[0].x / COLUMNS);
            let bytes = &mut bands[band];
            put(bytes, (mask - next[band]) as u64);
            next[band] = mask + 1;
            put(bytes, own.len() as u64);
            let mut x = band * COLUMNS;
            for span in own {
                put(bytes, (span.x - x) as u64);
                put(bytes, span.top as u64);
                put(bytes, (span.bottom - span.top) as u64);
                x = span.x;
            }
        }
        Self(bands)
    }

    /// Writes them as an item of this name.
    pub fn write(&self, writer: &BlocksWriter, name: &str, stack: &MaskStack) -> io::Result<Item> {
        let mut item = writer.item(self.0.iter().map(|band| band.len() as u64).sum());
        self.push(&mut item)?;
        item.finish(name.to_owned(), stack.width, stack.height)
    }

    /// Writes them into an item.
    pub fn push(&self, item: &mut ItemWriter<'_>) -> io::Result<()> {
        item.push(&self.0.concat(), self.0.iter().map(Vec::len))
    }
}

/// Hands over the spans of all masks in a window of the item of this place, counted from the window's edges. `scratch` is
/// for the bands.
/// Errors: those of [`Blocks::read`].
pub fn read_bands(
    blocks: &Blocks,
    at: usize,
    window: Window,
    scratch: &mut Vec<u8>,
    mut hand: impl FnMut(Span),
) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let item = blocks
        .items()
        .get(at)
        .ok_or_else(|| wrong("it has no such masks"))?;
    if window.x + window.width > item.width || window.y + window.height > item.height {
        return Err(wrong("its masks have other sizes"));
    }
    let bands = window.x / COLUMNS..(window.x + window.width).div_ceil(COLUMNS);
    blocks.read(at, bands.clone(), scratch)?;
    let mut rest = scratch.as_slice();
    for band in bands {
        let length = item.blocks[band].length as usize;
        let (mut own, behind) = rest.split_at(length);
        rest = behind;
        let mut hand = |span: Span| span.within(window).into_iter().for_each(&mut hand);
        spans(&mut own, band * COLUMNS, &mut hand).map_err(wrong)?;
    }
    Ok(())
}

fn spans(bytes: &mut &[u8], left: usize, hand: &mut impl FnMut(Span)) -> Result<(), &'static str> {
    let number = |bytes: &mut &[u8]| take(bytes).map(|n| n as usize);
    let mut mask = 0;
    while !bytes.is_empty() {
        mask += number(bytes)?;
        let mut x = left;
        for _ in 0..number(bytes)? {
            x += number(bytes)?;
            let top = number(bytes)?;
            let bottom = top + number(bytes)?;
            hand(Span {
                mask,
                x,
                top,
                bottom,
            });
        }
        mask += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::RandomState;
    use crate::rle::Rle;

    #[test]
    fn windows_are_those_of_the_masks() {
        let mut state = RandomState::new(5);
        let (width, height, slots) = (150, 40, 9);
        let masks = (0..7).map(|n| {
            let limit = f64::from(n) * 0.15;
            let dice = (0..width * height).map(|at| {
                // Outlines of some length, and columns without any.
                let inside = at % width < 100 && state.random_sample() < limit;
                u8::from(inside || (n == 6 && at % width > 120))
            });
            Rle::from_bitmap(&dice.collect::<Vec<u8>>(), width, height).unwrap()
        });
        let masks: Vec<Rle> = masks.collect();
        let stack = MaskStack::new(width, height, slots, masks).unwrap();
        let file = tempfile::tempfile().unwrap();
        let writer = BlocksWriter::new(file, &[1; 32]).unwrap();
        let item = Bands::of(&stack).write(&writer, "a", &stack).unwrap();
        let file = writer.finish(&[item]).unwrap();
        let blocks = Blocks::open(file, &[1; 32]).unwrap();
        let mut below = |n: usize| state.next_u32() as usize % n;
        for _ in 0..200 {
            let (w, h) = (1 + below(width), 1 + below(height));
            let (x, y) = (below(width - w + 1), below(height - h + 1));
            let window = Window {
                x,
                y,
                width: w,
                height: h,
            };
            let mut bits = vec![0; slots * w * h];
            let fill = |span: Span| {
                for row in span.top..span.bottom {
                    bits[(span.mask * h + row) * w + span.x] = 1;
                }
            };
            read_bands(&blocks, 0, window, &mut Vec::new(), fill).unwrap();
            let mut expected = vec![0; slots * w * h];
            stack.crop_into(x, y, w, h, &mut expected).unwrap();
            assert_eq!(bits, expected, "{window:?}");
        }
    }
}
