//! SAM's prompt encoder: points, boxes and masks as embeddings (official `prompt_encoder.py`).
//! Unaware of images and of how prompts are chosen.

use std::f64::consts::PI;

use tch::nn::Path;
use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::layers::{EPS, LayerNorm};

/// The encoder. All of it is float32: what it computes is a vanishing part of the work.
#[derive(Debug)]
pub struct PromptEncoder {
    gaussian: Tensor,
    point_embeddings: Vec<Tensor>,
    not_a_point: Tensor,
    no_mask: Tensor,
    mask_downscaling: MaskDownscaling,
    img_size: i64,
    grid: i64,
}

/// Point prompts: coordinates (B, N, 2) as x, y in pixels of the model's input frame, and labels (B, N).
#[derive(Debug)]
pub struct Points<'a> {
    /// Best given in float64: they are only rounded after they were scaled.
    pub coords: &'a Tensor,
    /// 1 foreground, 0 background, -1 no point.
    pub labels: &'a Tensor,
}

impl PromptEncoder {
    /// An encoder at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let dim = cfg.prompt_dim;
        let embedding = |p: Path| p.zeros("weight", &[1, dim]);
        Self {
            gaussian: (p / "pe_layer").zeros("positional_encoding_gaussian_matrix", &[2, dim / 2]),
            point_embeddings: (0..4)
                .map(|i| embedding(p / "point_embeddings" / i))
                .collect(),
            not_a_point: embedding(p / "not_a_point_embed"),
            no_mask: embedding(p / "no_mask_embed"),
            mask_downscaling: MaskDownscaling::new(&(p / "mask_downscaling"), cfg),
            img_size: cfg.img_size,
            grid: cfg.grid(),
        }
    }

    /// The embeddings (B, tokens, C) of points and of boxes (B, 4; left, top, right, bottom in the input frame): one token
    /// a point, one padding token where no box is given, two a box.
    pub fn sparse(&self, points: Option<&Points>, boxes: Option<&Tensor>) -> Tensor {
        let points = points.map(|points| self.points(points, boxes.is_none()));
        let boxes = boxes.map(|boxes| self.boxes(boxes));
        match (points, boxes) {
            (Some(points), Some(boxes)) => Tensor::cat(&[points, boxes], 1),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => self.gaussian.new_zeros(
                [1, 0, self.no_mask.size()[1]],
                (Kind::Float, self.gaussian.device()),
            ),
        }
    }

    /// The embedding of mask prompts (B, 1, 4·grid, 4·grid) as (B, C, grid, grid); without one, (1, C, grid, grid).
    pub fn dense(&self, masks: Option<&Tensor>) -> Tensor {
        match masks {
            Some(masks) => self.mask_downscaling.forward(masks),
            None => self
                .no_mask
                .view([1, -1, 1, 1])
                .expand([1, -1, self.grid, self.grid], false),
        }
    }

    /// The positional encoding of the image embedding, (1, C, grid, grid).
    pub fn dense_pe(&self) -> Tensor {
        let kind = (Kind::Float, self.gaussian.device());
        let at = (Tensor::arange(self.grid, kind) + 0.5) / self.grid; // (grid)
        let axes = Tensor::meshgrid_indexing(&[&at, &at], "ij"); // y, x
        let encoded = self.encode(&Tensor::stack(&[&axes[1], &axes[0]], -1)); // (grid, grid, C)
        encoded.permute([2, 0, 1]).unsqueeze(0)
    }

    fn points(&self, points: &Points, pad: bool) -> Tensor {
        let (mut coords, mut labels) = (points.coords + 0.5, points.labels.to_kind(Kind::Float));
        if pad {
            coords = coords.constant_pad_nd([0, 0, 0, 1]); // (0, 0), whose encoding is not used
            labels = Tensor::cat(&[&labels, &labels.narrow(1, 0, 1).full_like(-1)], 1);
        }
        let encoded = self.encode_pixels(&coords); // (B, N, C)
        let is = |label: i64| labels.eq(label).unsqueeze(-1).to_kind(Kind::Float); // (B, N, 1)
        encoded * (1.0 - is(-1))
            + is(-1) * &self.not_a_point
            + is(0) * &self.point_embeddings[0]
            + is(1) * &self.point_embeddings[1]
    }

    fn boxes(&self, boxes: &Tensor) -> Tensor {
        let corners = (boxes + 0.5).view([-1, 2, 2]);
        let kinds = Tensor::cat(&self.point_embeddings[2..], 0); // (2, C)
        self.encode_pixels(&corners) + kinds // (B, 2, C)
    }

    /// The encoding of pixel positions (…, 2), rounded to float32 only after they were divided by the side.
    fn encode_pixels(&self, coords: &Tensor) -> Tensor {
        self.encode(&(coords / self.img_size).to_kind(Kind::Float))
    }

    /// Random Fourier features (…, C) of positions (…, 2) as x, y in [0, 1].
    fn encode(&self, at: &Tensor) -> Tensor {
        let at = at * 2.0 - 1.0;
        let angles = if at.device() == Device::Cpu {
            at.matmul(&self.gaussian)
        } else {
            // No product of matrices, which would be in TF32 where a stage asks for that: 10 bits do not tell pixels apart.
            (at.unsqueeze(-1) * &self.gaussian).sum_dim_intlist([-2_i64].as_slice(), false, None)
        };
        let angles = angles * (2.0 * PI); // (…, C/2)
        Tensor::cat(&[angles.sin(), angles.cos()], -1)
    }
}

/// Mask prompts, halved twice by convolutions.
#[derive(Debug)]
struct MaskDownscaling {
    convs: [(Tensor, Tensor); 3],
    norms: [LayerNorm; 2],
}

impl MaskDownscaling {
    fn new(p: &Path, cfg: &Config) -> Self {
        let (few, many) = (cfg.mask_in_chans / 4, cfg.mask_in_chans);
        let conv = |i: i64, c_in: i64, c_out: i64, k: i64| {
            let p = p / i;
            (
                p.zeros("weight", &[c_out, c_in, k, k]),
                p.zeros("bias", &[c_out]),
            )
        };
        Self {
            convs: [
                conv(0, 1, few, 2),
                conv(3, few, many, 2),
                conv(6, many, cfg.prompt_dim, 1),
            ],
            norms: [
                LayerNorm::new(&(p / 1), few, EPS),
                LayerNorm::new(&(p / 4), many, EPS),
            ],
        }
    }

    fn forward(&self, masks: &Tensor) -> Tensor {
        let mut x = masks.to_kind(Kind::Float);
        for ((weight, bias), norm) in self.convs.iter().zip(&self.norms) {
            x = norm
                .forward_2d(&x.conv2d(weight, Some(bias), 2, 0, 1, 1))
                .gelu("none");
        }
        let (weight, bias) = &self.convs[2];
        x.conv2d(weight, Some(bias), 1, 0, 1, 1) // (B, C, grid, grid)
    }
}
