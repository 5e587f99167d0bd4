//! The shapes of CAT with axial blocks that were published.
//! Unaware of tensors.

use serde::{Deserialize, Serialize};

use crate::nn::transformer::{Connection, Shape, Upsampler, wide};

/// The shape of a CAT of `CATB_axial` blocks. Field names and defaults are those of the official constructor; those
/// that change neither weights nor results are left out (`img_size`, for which its masks are stored, and the drop
/// rates), and so is `split_size_1`, which axial blocks do not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Enlargement of each side; 1 for restoration at the same size.
    pub upscale: i64,
    /// Channels of the image.
    pub in_chans: i64,
    /// Feature channels C; twice a multiple of half the heads, at least 32.
    pub embed_dim: i64,
    /// Transformer blocks of each residual group.
    pub depth: Vec<i64>,
    /// Short side of the windows of each group, in pixels; the long one is the image's.
    pub split_size_0: Vec<i64>,
    /// Attention heads of each group, half of them for each direction.
    pub num_heads: Vec<i64>,
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
            embed_dim: 180,
            depth: vec![2; 4],
            split_size_0: vec![0; 4],
            num_heads: vec![2; 4],
            mlp_ratio: 4.0,
            img_range: 1.0,
            upsampler: Upsampler::None,
            resi_connection: Connection::One,
        }
    }
}

impl Config {
    /// What a pipeline says.
    pub fn of(size: &spec::backbones::Cat) -> Self {
        Self {
            upscale: i64::from(size.scale),
            embed_dim: i64::from(size.width),
            depth: wide(&size.depths),
            split_size_0: wide(&size.split()),
            num_heads: vec![i64::from(size.heads); size.depths.len()],
            mlp_ratio: size.mlp_ratio,
            upsampler: Upsampler::of(size.scale),
            ..Self::default()
        }
    }

    /// CAT-A enlarging by 2, 3 or 4: `options/test/test_CAT_A_sr_x<s>.yml`, `CAT-A/SR_CAT_A_x<s>.pth`.
    ///
    /// 16,456,103, 16,640,743 and 16,603,815 parameters; the paper's "CAT".
    pub fn published(upscale: i64) -> Self {
        Self {
            upscale,
            depth: vec![6; 6],
            split_size_0: vec![2, 2, 2, 4, 4, 4],
            num_heads: vec![6; 6],
            upsampler: Upsampler::PixelShuffle,
            ..Self::default()
        }
    }

    /// CAT-A-2, with wide windows throughout: `options/test/test_CAT_A_2_sr_x<s>.yml`, `CAT-A-2/SR_CAT_A_2_x<s>.pth`.
    pub fn wide(upscale: i64) -> Self {
        Self {
            split_size_0: vec![4; 6],
            ..Self::published(upscale)
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

    /// The sides of an image must be multiples of this: the least common multiple of the split sizes.
    pub fn multiple(&self) -> i64 {
        self.split_size_0
            .iter()
            .fold(1, |all, &split| all / gcd(all, split) * split)
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
