//! SAM's mask decoder: masks and their predicted IoU from an image embedding and prompts (official `mask_decoder.py`).
//! Unaware of where prompts come from and of the size of the image.
//!
//! Its transformer and the enlargement compute in the numbers of their weights, which may be bfloat16; tokens become float32
//! before the heads, and so are the predicted IoU and the logits that are handed on.

use tch::nn::Path;
use tch::{Kind, Tensor};

use super::config::{Config, HEAD_LAYERS, MASK_TOKENS};
use super::layers::{EPS, Head, LayerNorm};
use super::transformer::{ImageSide, TwoWayTransformer};
use crate::nn::{host, kernels};

/// The decoder.
#[derive(Debug)]
pub struct MaskDecoder {
    /// Its transformer.
    pub transformer: TwoWayTransformer,
    iou_token: Tensor,
    mask_tokens: Tensor,
    upscaling: Upscaling,
    hypernetworks: Vec<Head>,
    iou_head: Head,
    grid: i64,
}

/// What the transformer made of B prompts; masks are computed from it for the prompts that are wanted.
#[derive(Debug)]
pub struct Prediction {
    /// The predicted IoU of all four masks, (B, 4): the first for unambiguous prompts, the others for ambiguous ones.
    pub iou: Tensor,
    mask_tokens: Tensor,
    image: Tensor,
}

impl MaskDecoder {
    /// A decoder at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let dim = cfg.prompt_dim;
        let hypernetworks = p / "output_hypernetworks_mlps";
        Self {
            transformer: TwoWayTransformer::new(&(p / "transformer"), cfg),
            iou_token: (p / "iou_token").zeros("weight", &[1, dim]),
            mask_tokens: (p / "mask_tokens").zeros("weight", &[MASK_TOKENS, dim]),
            upscaling: Upscaling::new(&(p / "output_upscaling"), dim),
            hypernetworks: (0..MASK_TOKENS)
                .map(|i| Head::new(&(&hypernetworks / i), dim, dim, dim / 8, HEAD_LAYERS))
                .collect(),
            iou_head: Head::new(
                &(p / "iou_prediction_head"),
                dim,
                cfg.iou_hidden,
                MASK_TOKENS,
                HEAD_LAYERS,
            ),
            grid: cfg.grid(),
        }
    }

    /// The numbers that the transformer and the enlargement compute with.
    fn kind(&self) -> Kind {
        self.upscaling.first.weight.kind()
    }

    /// What all prompts share: `embedding` (1, C, grid, grid), `pe` (1, C, grid, grid), and the embedding of mask
    /// prompts `dense` (B, C, grid, grid), B = 1 for the same in all prompts.
    pub fn image_side(&self, embedding: &Tensor, pe: &Tensor, dense: &Tensor) -> ImageSide {
        let kind = self.kind();
        let tokens = |x: &Tensor| x.flatten(2, 3).transpose(1, 2).contiguous().to_kind(kind); // (B, N, C)
        self.transformer
            .image_side(tokens(&(embedding + dense)), tokens(pe))
    }

    /// The transformer's result for prompts `sparse` (B, tokens, C).
    pub fn predict(&self, image: &ImageSide, sparse: &Tensor) -> Prediction {
        let tokens = self.tokens(sparse).to_kind(self.kind());
        let (tokens, image) = self.transformer.forward(image, &tokens);
        let tokens = tokens.to_kind(Kind::Float);
        Prediction {
            iou: self.iou_head.forward(&tokens.select(1, 0)),
            mask_tokens: tokens.narrow(1, 1, MASK_TOKENS),
            image,
        }
    }

    /// The decoder's own tokens and those of the prompts `sparse` (B, tokens, C): (B, 1 + 4 + tokens, C).
    pub fn tokens(&self, sparse: &Tensor) -> Tensor {
        let own = Tensor::cat(&[&self.iou_token, &self.mask_tokens], 0).unsqueeze(0);
        Tensor::cat(&[&own.expand([sparse.size()[0], -1, -1], false), sparse], 1)
    }

    /// Mask logits (B, `count`, 4·grid, 4·grid) of the mask tokens from `first` on.
    pub fn masks(&self, prediction: &Prediction, first: i64, count: i64) -> Tensor {
        let b = prediction.image.size()[0];
        let features = self.upscaling.forward(&prediction.image); // (B, 16·N, C/8)
        let heads = (first..first + count)
            .map(|i| self.hypernetworks[i as usize].forward(&prediction.mask_tokens.select(1, i)));
        let heads = Tensor::stack(&heads.collect::<Vec<_>>(), 1); // (B, count, C/8)
        let masks = heads
            .to_kind(features.kind())
            .bmm(&features.transpose(1, 2)); // (B, count, 16·N)
        let masks = masks.to_kind(Kind::Float);
        let (grid, side) = (self.grid, 4 * self.grid);
        let masks = masks.view([b, count, grid, grid, 2, 2, 2, 2].as_slice());
        masks
            .permute([0, 1, 2, 4, 6, 3, 5, 7])
            .reshape([b, count, side, side])
    }
}

impl Prediction {
    /// The prediction for some of the prompts, by index.
    #[must_use]
    pub fn of_prompts(&self, prompts: &[i64]) -> Self {
        let index = host::send(&Tensor::from_slice(prompts), self.iou.device());
        let chosen = |t: &Tensor| t.index_select(0, &index);
        Self {
            iou: chosen(&self.iou),
            mask_tokens: chosen(&self.mask_tokens),
            image: chosen(&self.image),
        }
    }
}

/// Two transposed convolutions with stride 2 and as large a window. Their windows do not overlap, so each is a matrix
/// product at each position, and positions can stay in the order (y, x, dy, dx, …) until the masks are made.
#[derive(Debug)]
struct Upscaling {
    first: Enlarging,
    norm: LayerNorm,
    second: Enlarging,
}

impl Upscaling {
    fn new(p: &Path, dim: i64) -> Self {
        Self {
            first: Enlarging::new(&(p / 0), dim, dim / 4),
            norm: LayerNorm::new(&(p / 1), dim / 4, EPS),
            second: Enlarging::new(&(p / 3), dim / 4, dim / 8),
        }
    }

    /// `x` (B, N, C) as (B, 16·N, C/8).
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.norm.forward(&self.first.forward(x)).gelu_("none"); // (B, 4·N, C/4)
        self.second.forward(&x).gelu_("none")
    }
}

/// A transposed convolution with a 2×2 window and stride 2: `weight` (`c_in`, `c_out`, 2, 2) and `bias` (`c_out`).
#[derive(Debug)]
struct Enlarging {
    weight: Tensor,
    bias: Tensor,
}

impl Enlarging {
    fn new(p: &Path, c_in: i64, c_out: i64) -> Self {
        Self {
            weight: p.zeros("weight", &[c_in, c_out, 2, 2]),
            bias: p.zeros("bias", &[c_out]),
        }
    }

    /// `x` (B, N, `c_in`) as (B, 4·N, `c_out`): for each position dy, dx.
    fn forward(&self, x: &Tensor) -> Tensor {
        let (size, c_in) = (x.size(), self.weight.size()[0]);
        let weight = self.weight.permute([2, 3, 1, 0]).reshape([-1, c_in]); // (4·c_out, c_in)
        let out = kernels::linear(x, &weight, &self.bias.repeat([4])); // (B, N, 4·c_out)
        out.view([size[0], size[1] * 4, -1])
    }
}
