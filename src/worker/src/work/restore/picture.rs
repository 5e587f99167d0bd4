//! One picture through a network, tile by tile, to 8 bits.
//! Unaware of files.

use std::ops::Range;
use std::time::Instant;

use pixels::{MaskStack, Rgb8};
use tch::{Kind, Tensor};

use crate::nn::blend::{Cut, Piece, blended};
use crate::nn::host;
use crate::work::WorkError;
use crate::work::model::Model;

/// A restored picture.
pub(super) struct Picture {
    pub image: Rgb8,
    /// Tiles that it was cut into.
    pub tiles: usize,
    /// Seconds in the network.
    pub network: f64,
    /// Seconds of cutting, blending and rounding.
    pub around: f64,
}

/// Rows that are rounded at once: their copies in other types would take as much memory again as a row of tiles.
const ROWS: i64 = 64;

/// `image` through `model`, or through its backbone alone where `is_plain`. `step` is called behind each tile; its error
/// ends the work.
pub(super) fn restored(
    model: &Model,
    is_plain: bool,
    image: &Rgb8,
    masks: Option<&MaskStack>,
    cut: &Cut,
    step: &mut dyn FnMut() -> Result<(), WorkError>,
) -> Result<Picture, WorkError> {
    let _guard = tch::no_grad_guard();
    let scale = model.scale();
    let (width, height) = image.size();
    let size = (height as i64, width as i64);
    let (out_w, out_h) = (width * scale as usize, height * scale as usize);
    let mut data = Vec::new();
    data.try_reserve_exact(out_w * out_h * 3)
        .map_err(|_| WorkError::new("memory ran out", "restore it in parts"))?;
    let (begin, mut network, mut tiles) = (Instant::now(), 0.0, 0);
    blended(
        size,
        cut,
        scale,
        &mut |row, column| {
            let x = model.tensor(&part(image, row, column)?);
            let masks = match masks {
                Some(masks) => model.mask_part(masks, window(row, column))?,
                None => None,
            };
            let begin = Instant::now();
            let y = if is_plain {
                model.plain(&x)
            } else {
                model.piece(&x, masks.as_ref())?
            };
            let y = host::tensor(&y); // a GPU has computed it then
            network += begin.elapsed().as_secs_f64();
            tiles += 1;
            step()?;
            Ok::<Tensor, WorkError>(y)
        },
        &mut |rows| append(rows, &mut data),
    )?;
    let around = begin.elapsed().as_secs_f64() - network;
    Ok(Picture {
        image: Rgb8::new(out_w, out_h, data)?,
        tiles,
        network,
        around,
    })
}

/// Where a tile is: left, top, width and height in LQ pixels.
fn window(row: &Piece, column: &Piece) -> [usize; 4] {
    let length = |range: &Range<i64>| (range.end - range.start) as usize;
    let (x, y) = (column.input.start as usize, row.input.start as usize);
    [x, y, length(&column.input), length(&row.input)]
}

fn part(image: &Rgb8, row: &Piece, column: &Piece) -> Result<Rgb8, WorkError> {
    let [x, y, w, h] = window(row, column);
    Ok(image.crop(x, y, w, h)?)
}

/// Finished rows (3, n, W) as 8-bit RGB behind those before: clamped to [0, 1], times 255, rounded half to even.
fn append(rows: &Tensor, data: &mut Vec<u8>) -> Result<(), WorkError> {
    if !host::all_finite(rows) {
        return Err(WorkError::new(
            "the network's output is not finite",
            "its weights diverged: lower `lr`, or use `weights: best`",
        ));
    }
    let count = rows.size()[1];
    for at in (0..count).step_by(ROWS as usize) {
        let some = rows.narrow(1, at, ROWS.min(count - at));
        let rounded = (some.clamp(0.0, 1.0) * 255.0).round();
        let samples = rounded.to_kind(Kind::Uint8).permute([1, 2, 0]);
        data.extend(host::bytes(&samples));
    }
    Ok(())
}
