//! How a photograph is cut: not at all where it fits into memory, else into tiles whose surroundings are as wide as a
//! network's look is where that is bounded.
//! Unaware of how tiles are put together again.

use pixels::memory_budget;
use spec::{Device, TILES, Tiles};

use crate::nn::blend::Cut;
use crate::work::model::Model;

/// Pixels on either side of a cut over which one tile fades into the next.
const FADE: i64 = 16;

/// Surroundings of a tile where a network looks at all of an image: what its convolutions see, mostly.
const CONTEXT: i64 = 32;

/// Tiles begin at multiples of this, so that windows of attention lie as they do in the whole image.
const MULTIPLE: i64 = 16;

/// The memory that a tile's way through the network may take, bytes: photographs of any size stay below 4 GiB with it.
const TILE: u64 = 3 << 29;

/// The same for a whole image on a GPU, of whose memory nothing is known here.
const GPU: u64 = 8 << 30;

/// The way to cut an image of `size` (H, W), of which the whole may take `budget` bytes.
pub(super) fn cut(model: &Model, size: (i64, i64), tiles: Tiles, budget: u64) -> Cut {
    let context = model.reach().unwrap_or(CONTEXT);
    let whole = Cut {
        side: None,
        context,
        fade: FADE,
        multiple: MULTIPLE,
    };
    let side = match tiles {
        Tiles::Whole => None,
        Tiles::Side(side) => Some(i64::from(side)),
        Tiles::Auto if model.memory(size.0, size.1) <= budget => None,
        Tiles::Auto => Some(fitting(model, context)),
    };
    match side {
        Some(side) if size.0.max(size.1) > side => Cut {
            side: Some(side),
            ..whole
        },
        _ => whole,
    }
}

/// What a whole image may take: what one piece of work may, as far as it is free. Asked once for all photographs: memory that
/// the first one leaves stays with this process for the next and does not count as free, and those of one size, and the
/// passes over one photograph, are to be cut alike.
pub(super) fn budget(device: Device, free: Option<u64>) -> u64 {
    match device {
        Device::Cpu => free
            .map_or(u64::MAX, |free| free / 4 * 3)
            .min(memory_budget()),
        Device::Cuda(_) => GPU,
    }
}

/// The largest side whose tiles, with their surroundings, take no more than [`TILE`].
fn fitting(model: &Model, context: i64) -> i64 {
    let (least, most) = (i64::from(*TILES.start()), i64::from(*TILES.end()));
    let fits = |side: &i64| {
        let all = side + 2 * (FADE + context);
        model.memory(all, all) <= TILE
    };
    let mut sides = (least..=most).rev().filter(|side| side % MULTIPLE == 0);
    sides.find(fits).unwrap_or(least)
}
