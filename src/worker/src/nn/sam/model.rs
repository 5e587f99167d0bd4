//! A whole Segment Anything model: its three networks, and the embedding of an image.
//! Unaware of files of weights, of which prompts are given and what becomes of masks.

use pixels::Rgb8;
use spec::names::SamPrecision;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor, no_grad};

use super::config::{Config, NARROWING};
use super::decoder::MaskDecoder;
use super::encoder::ImageEncoder;
use super::error::SamError;
use super::preprocess::{Normaliser, Scaled};
use super::prompt::PromptEncoder;
use super::transformer::ImageSide;
use crate::nn::host;

/// As tch names it. The number format is the image encoder's, where most of the work is; prompts, predicted IoU and mask
/// logits are float32, whose products `tf32` rounds in all of the process.
const fn kind(precision: SamPrecision) -> Kind {
    match precision {
        SamPrecision::Fp32 | SamPrecision::Tf32 => Kind::Float,
        SamPrecision::Bf16 => Kind::BFloat16,
        SamPrecision::Fp16 => Kind::Half,
    }
}

/// That of the mask decoder's transformer and enlargement, which half precision has not been tried for.
const fn decoder_kind(precision: SamPrecision) -> Kind {
    match precision {
        SamPrecision::Bf16 => Kind::BFloat16,
        SamPrecision::Fp32 | SamPrecision::Tf32 | SamPrecision::Fp16 => Kind::Float,
    }
}

/// The model. Nothing in it is trained: all of it runs without gradients.
#[derive(Debug)]
pub struct Sam {
    /// The shape it was built with.
    pub config: Config,
    /// The image encoder.
    pub image_encoder: ImageEncoder,
    /// The prompt encoder.
    pub prompt_encoder: PromptEncoder,
    /// The mask decoder.
    pub mask_decoder: MaskDecoder,
    normaliser: Normaliser,
    store: VarStore,
    precision: SamPrecision,
    /// Where in their file the weights stood, if not simply by their names, and what else was found there.
    pub notes: Vec<String>,
}

/// What the encoder saw in an image: computed once, then used for any number of prompts and grids.
#[derive(Debug)]
pub struct Embedding {
    /// (1, C, grid, grid), float32.
    pub features: Tensor,
    /// Width and height of the image.
    pub original: (usize, usize),
    /// Width and height of the image as it was scaled for the encoder.
    pub scaled: (usize, usize),
    /// What all prompts without a mask share in the decoder.
    pub image_side: ImageSide,
}

impl Sam {
    /// A model of `config` on `device`, all weights zero. Errors: [`SamError::Config`].
    pub fn new(config: &Config, device: Device) -> Result<Self, SamError> {
        check(config)?;
        let store = VarStore::new(device);
        let root = store.root();
        Ok(Self {
            config: config.clone(),
            image_encoder: ImageEncoder::new(&(&root / "image_encoder"), config),
            prompt_encoder: PromptEncoder::new(&(&root / "prompt_encoder"), config),
            mask_decoder: MaskDecoder::new(&(&root / "mask_decoder"), config),
            normaliser: Normaliser::new(device),
            store,
            precision: SamPrecision::Fp32,
            notes: Vec::new(),
        })
    }

    /// Nothing of it is trained from now on.
    pub(super) fn freeze(&mut self) {
        self.store.freeze();
    }

    /// Sets the number format of the image encoder, and that of the mask decoder with it.
    pub fn set_precision(&mut self, precision: SamPrecision) {
        (self.store.root() / "image_encoder").set_kind(kind(precision));
        for part in ["transformer", "output_upscaling"] {
            (self.store.root() / "mask_decoder" / part).set_kind(decoder_kind(precision));
        }
        self.precision = precision;
    }

    /// The weights, by official name.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// The device it runs on.
    pub fn device(&self) -> Device {
        self.store.device()
    }

    /// The embedding of an image of any size. Errors: [`SamError::Image`], [`SamError::NotFinite`].
    pub fn embed(&self, image: &Rgb8) -> Result<Embedding, SamError> {
        let scaled = Scaled::of(image, self.config.img_size)?;
        let mut one = self.embed_all(&[&scaled]).map_err(|(_, error)| error)?;
        Ok(one.remove(0))
    }

    /// The embeddings of images that were scaled to [`Config::img_size`], which go through the encoder together. An error
    /// comes with the place of its image among them. Errors: [`SamError::NotFinite`].
    pub fn embed_all(&self, images: &[&Scaled]) -> Result<Vec<Embedding>, (usize, SamError)> {
        let side = self.config.img_size;
        let input = |image: &&Scaled| self.normaliser.encoder_input(&image.picture, side);
        let inputs: Vec<Tensor> = images.iter().map(input).collect();
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let features = no_grad(|| self.encode(&Tensor::cat(&inputs, 0)))?;
        let embedding = |(n, image): (usize, &&Scaled)| {
            let features = features.narrow(0, n as i64, 1);
            Embedding {
                image_side: no_grad(|| self.image_side(&features, None)),
                features,
                original: image.original,
                scaled: image.picture.size(),
            }
        };
        Ok(images.iter().enumerate().map(embedding).collect())
    }

    /// The encoder's output (1, C, grid, grid) for a prepared `x` (1, 3, S, S). Errors: [`SamError::NotFinite`].
    pub fn features(&self, x: &Tensor) -> Result<Tensor, SamError> {
        no_grad(|| self.encode(x)).map_err(|(_, error)| error)
    }

    /// The same for several images; an error comes with the place of its image.
    fn encode(&self, x: &Tensor) -> Result<Tensor, (usize, SamError)> {
        let x = x.to_kind(kind(self.precision));
        let features = self.image_encoder.forward(&x);
        if host::all_finite(&features) {
            return Ok(features.to_kind(Kind::Float));
        }
        let broken = (0..x.size()[0]).find(|&n| !host::all_finite(&features.get(n)));
        let n = broken.unwrap_or(0);
        let module = self.first_not_finite(&x.narrow(0, n, 1));
        Err((n as usize, SamError::NotFinite { module }))
    }

    /// The decoder's view of `features` with the mask prompts `dense` (B, 1, 4·grid, 4·grid), or without any.
    pub fn image_side(&self, features: &Tensor, dense: Option<&Tensor>) -> ImageSide {
        let dense = self.prompt_encoder.dense(dense);
        let pe = self.prompt_encoder.dense_pe();
        self.mask_decoder.image_side(features, &pe, &dense)
    }

    /// The first module of the encoder whose output for `x` holds NaN or infinite values.
    fn first_not_finite(&self, x: &Tensor) -> String {
        let mut first = None;
        let _ = no_grad(|| {
            self.image_encoder.walk(x, &mut |name, output| {
                if first.is_none() && !host::all_finite(output) {
                    first = Some(name.to_owned());
                }
            })
        });
        first.unwrap_or_else(|| "neck".to_owned())
    }
}

/// Whether the parts of a shape fit together, so that nothing fails later.
fn check(c: &Config) -> Result<(), SamError> {
    let divides = |part: i64, whole: i64| part > 0 && whole > 0 && whole % part == 0;
    let broken = [
        (
            !divides(c.patch_size, c.img_size),
            "`patch_size` does not divide `img_size`",
        ),
        (
            !divides(c.num_heads, c.embed_dim),
            "`num_heads` does not divide `embed_dim`",
        ),
        (
            !divides(8, c.prompt_dim),
            "`prompt_dim` is no multiple of 8",
        ),
        (
            !divides(c.dec_heads * NARROWING, c.prompt_dim),
            "`prompt_dim` is no multiple of twice `dec_heads`",
        ),
        (
            !divides(4, c.mask_in_chans),
            "`mask_in_chans` is no multiple of 4",
        ),
        (
            c.mlp_dim() < 1 || c.dec_mlp_dim < 1 || c.iou_hidden < 1,
            "an MLP has no width",
        ),
        (
            c.global_attn_indexes.iter().any(|&i| i >= c.depth),
            "a global block is beyond `depth`",
        ),
        (
            c.rel_pos_lengths_overridden.values().any(|&n| n < 1),
            "a relative-position table is empty",
        ),
    ];
    match broken.iter().find(|(is_broken, _)| *is_broken) {
        Some((_, reason)) => Err(SamError::Config {
            reason: (*reason).to_owned(),
        }),
        None => Ok(()),
    }
}
