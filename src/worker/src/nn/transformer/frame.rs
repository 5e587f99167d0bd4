//! The convolutions around the residual groups, the same in ART and CAT: image to features, features to image.
//! Unaware of what the groups do.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Path;

use super::layers::LayerNorm;
use crate::nn::layers::{Conv, leaky_relu};
use crate::nn::network::AfterBlock;
use crate::nn::{host, precision};

/// How features become an image. Names as in the official option files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upsampler {
    /// Convolutions and pixel shuffles: super-resolution.
    #[serde(rename = "pixelshuffle")]
    PixelShuffle,
    /// One convolution, added to the input: denoising.
    #[default]
    #[serde(rename = "")]
    None,
}

impl Upsampler {
    /// What a network of this scale has: 1 is denoising.
    pub const fn of(scale: u32) -> Self {
        match scale {
            1 => Self::None,
            _ => Self::PixelShuffle,
        }
    }
}

/// Sizes as a pipeline says them, as libtorch takes them.
pub fn wide(sizes: &[u32]) -> Vec<i64> {
    sizes.iter().copied().map(i64::from).collect()
}

/// What closes a residual group and the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connection {
    /// One 3×3 convolution, in all published networks.
    #[default]
    #[serde(rename = "1conv")]
    One,
    /// 3×3, 1×1, 3×3 over a quarter of the channels.
    #[serde(rename = "3conv")]
    Three,
}

/// What the frame needs to know of a network. Fields as in the official constructors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Enlargement of each side: a power of 2, or 3.
    pub upscale: i64,
    /// Channels of the image. The mean of DIV2K is subtracted where there are 3.
    pub in_chans: i64,
    /// Feature channels C.
    pub embed_dim: i64,
    /// The image is multiplied by this after its mean is subtracted.
    pub img_range: f64,
    /// How features become an image.
    pub upsampler: Upsampler,
    /// What closes the body.
    pub resi_connection: Connection,
}

/// Mean RGB of DIV2K, in [0, 1]; a plain attribute in the official codes, in no checkpoint.
const MEAN: [f32; 3] = [0.4488, 0.4371, 0.4040];
/// Channels between the body and the enlarged image.
const RECONSTRUCTION: i64 = 64;

/// Everything outside the groups.
#[derive(Debug)]
pub struct Frame {
    shape: Shape,
    /// [`MEAN`] (1, 3, 1, 1) where the weights lie, for images of three channels.
    mean: Option<Tensor>,
    conv_first: Conv,
    norm: LayerNorm,
    conv_after_body: Closing,
    tail: Tail,
}

impl Frame {
    /// The frame at path `p`, the network's root.
    pub fn new(p: &Path, shape: &Shape) -> Self {
        let c = shape.embed_dim;
        Self {
            shape: *shape,
            mean: (shape.in_chans == 3).then(|| {
                let mean = Tensor::from_slice(&MEAN).view([1, 3, 1, 1]);
                host::send(&mean, p.device())
            }),
            conv_first: Conv::new(&(p / "conv_first"), shape.in_chans, c, 3),
            norm: LayerNorm::new(&(p / "norm"), c),
            conv_after_body: Closing::new(&(p / "conv_after_body"), c, shape.resi_connection),
            tail: Tail::new(p, shape),
        }
    }

    /// `x` (B, `in_chans`, H, W) in [0, 1], centred and scaled.
    pub fn centre(&self, x: &Tensor) -> Tensor {
        match &self.mean {
            Some(mean) => (x - mean) * self.shape.img_range,
            None => x * self.shape.img_range,
        }
    }

    /// The first features (B, C, H, W) of a centred image.
    pub fn first(&self, centred: &Tensor) -> Tensor {
        self.conv_first.forward(centred)
    }

    /// The normalised tokens (B, H, W, C) of the last group.
    pub fn norm(&self, tokens: &Tensor) -> Tensor {
        self.norm.forward(tokens)
    }

    /// The features (B, C, H, W) that close the body, before the long skip, of normalised tokens.
    pub fn after_body(&self, normed: &Tensor) -> Tensor {
        self.conv_after_body.forward(&to_map(normed))
    }

    /// The image (B, `in_chans`, sH, sW) in [0, 1], not clamped, of `features` (B, C, H, W).
    pub fn image(&self, centred: &Tensor, features: &Tensor) -> Tensor {
        let y = self.tail.forward(centred, features);
        let y = y / self.shape.img_range;
        match &self.mean {
            Some(mean) => y + mean,
            None => y,
        }
    }

    /// The restored image of `x` (B, `in_chans`, H, W): frame, groups, frame.
    ///
    /// `embed` makes tokens (B, H, W, C) of the first features (B, C, H, W), each of `groups` tokens of tokens. What
    /// `after_block` returns takes the place of a group's output, before the final norm.
    pub fn around(
        &self,
        x: &Tensor,
        embed: impl FnOnce(&Tensor) -> Tensor,
        groups: impl Iterator<Item = impl FnOnce(&Tensor) -> Tensor>,
        after_block: &mut AfterBlock<'_>,
    ) -> Tensor {
        let centred = self.centre(x);
        let first = self.first(&centred); // (B, C, H, W)
        let mut tokens = embed(&first); // (B, H, W, C)
        for (i, group) in groups.enumerate() {
            tokens = to_tokens(&after_block(i, to_map(&group(&tokens))));
        }
        let body = self.after_body(&self.norm(&tokens)) + first; // (B, C, H, W)
        self.image(&centred, &body)
    }
}

/// One or three convolutions that keep C, H and W.
#[derive(Debug)]
pub enum Closing {
    /// At the path itself.
    One(Conv),
    /// At `0`, `2` and `4`, with `LeakyReLU` 0.2 between them.
    Three([Conv; 3]),
}

impl Closing {
    /// The convolutions of `c` channels at path `p`.
    pub fn new(p: &Path, c: i64, connection: Connection) -> Self {
        match connection {
            Connection::One => Self::One(Conv::new(p, c, c, 3)),
            Connection::Three => Self::Three([
                Conv::new(&(p / 0), c, c / 4, 3),
                Conv::new(&(p / 2), c / 4, c / 4, 1),
                Conv::new(&(p / 4), c / 4, c, 3),
            ]),
        }
    }

    /// (B, C, H, W) to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::One(conv) => conv.forward(x),
            Self::Three([narrow, inner, widen]) => {
                let hidden = leaky_relu(&narrow.forward(x), CLOSING_SLOPE); // (B, C/4, H, W)
                widen.forward(&leaky_relu(&inner.forward(&hidden), CLOSING_SLOPE))
            }
        }
    }
}

const CLOSING_SLOPE: f64 = 0.2;

/// Features to image.
#[derive(Debug)]
enum Tail {
    /// Super-resolution.
    Enlarge {
        before: Conv,
        /// Each with the factor of its pixel shuffle.
        steps: Vec<(Conv, i64)>,
        last: Conv,
    },
    /// Denoising: the change of the input.
    Change { last: Conv },
}

impl Tail {
    fn new(p: &Path, shape: &Shape) -> Self {
        let (c, out) = (shape.embed_dim, shape.in_chans);
        let last = |c_in| Conv::new(&(p / "conv_last"), c_in, out, 3);
        if shape.upsampler == Upsampler::None {
            return Self::Change { last: last(c) };
        }
        let step = |(i, factor): (usize, i64)| {
            let p = p / "upsample" / (2 * i);
            let outputs = RECONSTRUCTION * factor * factor;
            (Conv::new(&p, RECONSTRUCTION, outputs, 3), factor)
        };
        Self::Enlarge {
            before: Conv::new(&(p / "conv_before_upsample" / 0), c, RECONSTRUCTION, 3),
            steps: factors(shape.upscale)
                .into_iter()
                .enumerate()
                .map(step)
                .collect(),
            last: last(RECONSTRUCTION),
        }
    }

    fn forward(&self, centred: &Tensor, features: &Tensor) -> Tensor {
        match self {
            Self::Enlarge {
                before,
                steps,
                last,
            } => {
                // `LeakyReLU` with its default slope, 0.01.
                let mut y = before.forward(features).leaky_relu(); // (B, 64, H, W)
                for (conv, factor) in steps {
                    y = conv.forward(&y).pixel_shuffle(*factor);
                }
                precision::full(|| last.forward(&y)) // (B, in_chans, sH, sW)
            }
            Self::Change { last } => centred + precision::full(|| last.forward(features)),
        }
    }
}

/// The factors of the pixel shuffles that enlarge by `scale`: 3 at once, powers of 2 by twos.
fn factors(scale: i64) -> Vec<i64> {
    match scale {
        3 => vec![3],
        _ => vec![2; scale.max(1).ilog2() as usize],
    }
}

/// Tokens (B, H, W, C) as a map (B, C, H, W). A view: the map's channels stay the innermost in memory.
pub fn to_map(tokens: &Tensor) -> Tensor {
    tokens.permute([0, 3, 1, 2])
}

/// A map (B, C, H, W) as contiguous tokens (B, H, W, C); a view where the map's channels are innermost.
pub fn to_tokens(map: &Tensor) -> Tensor {
    map.permute([0, 2, 3, 1]).contiguous()
}
