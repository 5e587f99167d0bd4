//! From an 8-bit image to the encoder's input: scale, normalise, pad (official `sam.py`, `transforms.py`).
//! Unaware of the network.

use pixels::{Rgb8, longest_side_size, pil_bilinear_u8};
use tch::{Device, Kind, Tensor};

use super::error::SamError;
use crate::nn::host;

/// Mean of R, G, B on the 0-255 scale (official `build_sam.py`, `pixel_mean`).
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
/// Standard deviation of R, G, B on the 0-255 scale (official `build_sam.py`, `pixel_std`).
const STD: [f32; 3] = [58.395, 57.12, 57.375];

/// An image scaled for the encoder: what can be made of it without the network, on any thread.
#[derive(Clone, Debug)]
pub struct Scaled {
    /// The image with its longer side scaled to that of the encoder's input.
    pub picture: Rgb8,
    /// Width and height that it had.
    pub original: (usize, usize),
}

impl Scaled {
    /// `image` with its longer side scaled to `side`. Errors: [`SamError::Image`].
    pub fn of(image: &Rgb8, side: i64) -> Result<Self, SamError> {
        let (width, height) = longest_side_size(image.width, image.height, side as usize);
        if width == 0 || height == 0 {
            return Err(SamError::Image {
                size: image.size(),
                target: side,
            });
        }
        Ok(Self {
            picture: pil_bilinear_u8(image, width, height),
            original: image.size(),
        })
    }
}

/// What normalises images, on the device that they go to.
#[derive(Debug)]
pub struct Normaliser {
    /// [`MEAN`], (1, 3, 1, 1).
    mean: Tensor,
    /// [`STD`], (1, 3, 1, 1).
    std: Tensor,
}

impl Normaliser {
    /// For images that go to `device`.
    pub fn new(device: Device) -> Self {
        let channels =
            |values: [f32; 3]| host::send(&Tensor::from_slice(&values).view([1, 3, 1, 1]), device);
        Self {
            mean: channels(MEAN),
            std: channels(STD),
        }
    }

    /// A scaled image as the encoder wants it: (1, 3, side, side), normalised, then zeros at the right and the bottom.
    pub fn encoder_input(&self, image: &Rgb8, side: i64) -> Tensor {
        let (w, h) = (image.width as i64, image.height as i64);
        let x = Tensor::from_slice(&image.data).view([h, w, 3]);
        let x = host::send(&x, self.mean.device());
        let x = x.permute([2, 0, 1]).unsqueeze(0).to_kind(Kind::Float);
        let x = (x - &self.mean) / &self.std;
        x.constant_pad_nd([0, side - w, 0, side - h])
    }
}
