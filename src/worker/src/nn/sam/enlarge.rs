//! How a decoder's mask is brought to the size of its image: the weights of both interpolations as one.
//! Unaware of masks; `scan` applies the weights.
//!
//! The official code (`sam.py`, `postprocess_masks`) enlarges a mask to the model's side, crops it to the scaled image and
//! interpolates that to the image, bilinearly both times. Both steps are linear and separable, so along each side they
//! are one matrix with at most [`TAPS`] numbers a row, and the large masks in between need never exist. The numbers are
//! what libtorch's own interpolation does to unit vectors, so that positions are rounded as it rounds them.

use tch::{Device, Kind, Tensor};

use crate::nn::host;

/// Weights for one output position: neighbouring positions of the enlarged grid lie at most one position of the
/// mask apart, and each is made from two.
pub const TAPS: usize = 3;

/// For each output position along one side: the first mask position, and the weights from there on.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// First positions and weights, one an output position.
    pub taps: Vec<(usize, [f32; TAPS])>,
    /// Positions of the mask.
    pub length: usize,
}

impl Side {
    /// From `length` (at least [`TAPS`]) mask positions over `full`, cropped to `cropped`, to `output` positions.
    pub fn new(length: usize, full: usize, cropped: usize, output: usize) -> Self {
        let unit = Tensor::eye(length as i64, (Kind::Float, Device::Cpu)).unsqueeze(1); // (length, 1, length)
        let large = unit.upsample_linear1d([full as i64], false, None);
        let large = large.narrow(2, 0, cropped as i64).contiguous();
        let weights = large.upsample_linear1d([output as i64], false, None); // (length, 1, output)
        let weights = host::floats(&weights.squeeze_dim(1).transpose(0, 1));
        Self {
            taps: weights.chunks(length).map(tap).collect(),
            length,
        }
    }
}

/// The non-zero part of a row of weights.
fn tap(row: &[f32]) -> (usize, [f32; TAPS]) {
    let first = row.iter().position(|&weight| weight != 0.0).unwrap_or(0);
    let first = first.min(row.len() - TAPS);
    let mut weights = [0.0; TAPS];
    weights.copy_from_slice(&row[first..first + TAPS]);
    (first, weights)
}
