//! The shapes of ART that were published.
//! Unaware of tensors.

use serde::{Deserialize, Serialize};

use crate::nn::transformer::{Connection, Shape, Upsampler, wide};

/// The shape of an ART. Field names and defaults are those of the official constructor; those that change neither
/// weights nor results (`img_size`, the drop rates) are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Enlargement of each side; 1 for denoising.
    pub upscale: i64,
    /// Channels of the image.
    pub in_chans: i64,
    /// Feature channels C; a multiple of the heads, at least 16.
    pub embed_dim: i64,
    /// Transformer blocks of each residual group.
    pub depths: Vec<i64>,
    /// Attention heads in each group.
    pub num_heads: Vec<i64>,
    /// Interval of the sparse attention in each group, in pixels.
    pub interval: Vec<i64>,
    /// Side of the windows of the dense attention, in pixels.
    pub window_size: i64,
    /// Hidden channels of the MLPs relative to C.
    pub mlp_ratio: f64,
    /// Factor of the centred image.
    pub img_range: f64,
    /// How features become an image.
    pub upsampler: Upsampler,
    /// What closes each group and the body.
    pub resi_connection: Connection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upscale: 2,
            in_chans: 3,
            embed_dim: 96,
            depths: vec![6; 4],
            num_heads: vec![6; 4],
            interval: vec![8; 4],
            window_size: 7,
            mlp_ratio: 4.0,
            img_range: 1.0,
            upsampler: Upsampler::None,
            resi_connection: Connection::One,
        }
    }
}

impl Config {
    /// What a pipeline says.
    pub fn of(size: &spec::backbones::Art) -> Self {
        Self {
            upscale: i64::from(size.scale),
            embed_dim: i64::from(size.width),
            depths: wide(&size.depths),
            num_heads: vec![i64::from(size.heads); size.depths.len()],
            interval: wide(&size.interval()),
            window_size: i64::from(size.window),
            mlp_ratio: size.mlp_ratio,
            upsampler: Upsampler::of(size.scale),
            ..Self::default()
        }
    }

    /// The published network enlarging by 2, 3 or 4: `options/test/test_ART_SR_x<s>.yml`, `SR_ART_x<s>.pth`.
    ///
    /// 16,398,107, 16,582,747 and 16,545,819 parameters; the network of the paper's tables.
    pub fn published(upscale: i64) -> Self {
        Self {
            upscale,
            embed_dim: 180,
            depths: vec![6; 6],
            num_heads: vec![6; 6],
            interval: vec![4; 6],
            window_size: 8,
            upsampler: Upsampler::PixelShuffle,
            ..Self::default()
        }
    }

    /// ART-S, the smaller published network: `options/test/test_ART_S_SR_x<s>.yml`, `SR_ART_S_x<s>.pth`.
    ///
    /// 11,867,259 parameters at ×4.
    pub fn small(upscale: i64) -> Self {
        Self {
            interval: vec![8; 6],
            mlp_ratio: 2.0,
            ..Self::published(upscale)
        }
    }

    /// Colour denoising, the same network for σ 15, 25 and 50: `options/test/test_ART_ColorDN_level<σ>.yml`,
    /// `ColorDN_ART_level<σ>.pth`. 16,149,783 parameters.
    pub fn denoising() -> Self {
        Self {
            interval: vec![16, 16, 12, 12, 8, 8],
            upsampler: Upsampler::None,
            ..Self::published(1)
        }
    }

    /// What stands around the groups.
    pub fn shape(&self) -> Shape {
        Shape {
            upscale: self.upscale,
            in_chans: self.in_chans,
            embed_dim: self.embed_dim,
            img_range: self.img_range,
            upsampler: self.upsampler,
            resi_connection: self.resi_connection,
        }
    }
}
