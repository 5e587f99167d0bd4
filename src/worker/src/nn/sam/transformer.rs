//! The two-way transformer of SAM's mask decoder (official `transformer.py`, `TwoWayTransformer`).
//! Unaware of what its tokens mean.

use tch::Tensor;
use tch::nn::Path;

use super::attention::{Attention, Keys, ProjectedKeys};
use super::config::{Config, NARROWING};
use super::layers::{Activation, EPS_TRANSFORMER, LayerNorm, Mlp};

/// The transformer.
#[derive(Debug)]
pub struct TwoWayTransformer {
    layers: Vec<Layer>,
    final_attn: Attention,
    norm_final_attn: LayerNorm,
}

/// What all prompts share of an image: its positions (1, N, C), its keys, and what the first layer makes of them where
/// they are the same for all prompts.
#[derive(Debug)]
pub struct ImageSide {
    pe: Tensor,
    keys: Keys,
    first: Option<FirstLayer>,
}

#[derive(Debug)]
struct FirstLayer {
    to_image: ProjectedKeys,
    from_image: Tensor,
}

impl TwoWayTransformer {
    /// A transformer at path `p`, all weights zero.
    pub fn new(p: &Path, cfg: &Config) -> Self {
        let dim = cfg.prompt_dim;
        let final_attn = p / "final_attn_token_to_image";
        Self {
            layers: (0..cfg.dec_depth)
                .map(|i| Layer::new(&(p / "layers" / i), cfg, i == 0))
                .collect(),
            final_attn: Attention::new(&final_attn, dim, dim / NARROWING, cfg.dec_heads),
            norm_final_attn: norm(p, "norm_final_attn", dim),
        }
    }

    /// The shared part for an image `src` (1 or B, N, C) with positions `pe` (1, N, C).
    pub fn image_side(&self, src: Tensor, pe: Tensor) -> ImageSide {
        let keys = Keys::new(src, &pe);
        let first = self.layers.first().filter(|_| keys.is_shared());
        let first = first.map(|layer| layer.project(&keys));
        ImageSide { pe, keys, first }
    }

    /// The tokens (B, T, C) and the image (B, N, C) after they attended to each other.
    pub fn forward(&self, image: &ImageSide, tokens: &Tensor) -> (Tensor, Tensor) {
        self.walk(image, tokens, &mut |_, _| ())
    }

    /// The same; `see` is shown each layer's tokens under its official name.
    pub fn walk(
        &self,
        image: &ImageSide,
        tokens: &Tensor,
        see: &mut dyn FnMut(&str, &Tensor),
    ) -> (Tensor, Tensor) {
        let mut queries = tokens.shallow_clone();
        let mut own: Option<Keys> = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let first = image.first.as_ref().filter(|_| i == 0);
            queries = layer.tokens(&queries, tokens, own.as_ref().unwrap_or(&image.keys), first);
            see(&format!("layers.{i}"), &queries);
            let keys = layer.image(&queries, tokens, own.as_ref().unwrap_or(&image.keys), first);
            own = Some(Keys::new(keys, &image.pe));
        }
        let keys = own.as_ref().unwrap_or(&image.keys);
        let seen = self.final_attn.to_image(&(&queries + tokens), keys);
        let queries = self.norm_final_attn.forward(&(queries + seen));
        see("norm_final_attn", &queries);
        let keys = own.map_or_else(|| image.keys.plain.shallow_clone(), |keys| keys.plain);
        (queries, keys)
    }
}

/// A layer: the tokens attend to themselves and to the image, pass an MLP, and the image attends to them.
#[derive(Debug)]
struct Layer {
    self_attn: Attention,
    norm1: LayerNorm,
    to_image: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    norm3: LayerNorm,
    norm4: LayerNorm,
    from_image: Attention,
    is_first: bool,
}

impl Layer {
    fn new(p: &Path, cfg: &Config, is_first: bool) -> Self {
        let (dim, heads) = (cfg.prompt_dim, cfg.dec_heads);
        let attention = |name: &str, inner: i64| Attention::new(&(p / name), dim, inner, heads);
        Self {
            self_attn: attention("self_attn", dim),
            norm1: norm(p, "norm1", dim),
            to_image: attention("cross_attn_token_to_image", dim / NARROWING),
            norm2: norm(p, "norm2", dim),
            mlp: Mlp::new(&(p / "mlp"), dim, cfg.dec_mlp_dim, Activation::Relu),
            norm3: norm(p, "norm3", dim),
            norm4: norm(p, "norm4", dim),
            from_image: attention("cross_attn_image_to_token", dim / NARROWING),
            is_first,
        }
    }

    fn project(&self, keys: &Keys) -> FirstLayer {
        FirstLayer {
            to_image: self.to_image.project(keys),
            from_image: self.from_image.project_queries(keys),
        }
    }

    /// The tokens after this layer; `pe` are the tokens before the first layer.
    fn tokens(
        &self,
        queries: &Tensor,
        pe: &Tensor,
        keys: &Keys,
        first: Option<&FirstLayer>,
    ) -> Tensor {
        let queries = self.norm1.forward(&self.among_themselves(queries, pe));
        let placed = &queries + pe;
        let seen = match first {
            Some(first) => self.to_image.to_shared_image(&placed, &first.to_image),
            None => self.to_image.to_image(&placed, keys),
        };
        let queries = self.norm2.forward(&(queries + seen));
        self.norm3.forward(&(self.mlp.forward(&queries) + queries)) // (B, T, C)
    }

    /// Self-attention; in the first layer without positions, and without a residual.
    fn among_themselves(&self, queries: &Tensor, pe: &Tensor) -> Tensor {
        if self.is_first {
            return self.self_attn.forward(queries, queries, queries);
        }
        let placed = queries + pe;
        queries + self.self_attn.forward(&placed, &placed, queries)
    }

    /// The image after this layer, (B, N, C).
    fn image(
        &self,
        queries: &Tensor,
        pe: &Tensor,
        keys: &Keys,
        first: Option<&FirstLayer>,
    ) -> Tensor {
        let placed = queries + pe;
        let attend = &self.from_image;
        self.norm4.forward(&match first {
            Some(first) => attend.from_shared_image(keys, &first.from_image, &placed, queries),
            None => attend.from_image(keys, &placed, queries),
        })
    }
}

fn norm(p: &Path, name: &str, dim: i64) -> LayerNorm {
    LayerNorm::new(&(p / name), dim, EPS_TRANSFORMER)
}
