//! The names that Hugging Face's `SamModel` gives SAM's parameters, turned into the official ones.
//! Unaware of shapes and files. (Facts from transformers' `models/sam/modeling_sam.py`.)

/// The matrix of random frequencies, stored once or twice.
const SHARED: &str = "shared_image_embedding.positional_embedding";
const TIED: &str = "prompt_encoder.shared_embedding.positional_embedding";
const FREQUENCIES: &str = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";

/// Constants that some programs store with the weights; the official files do not hold them.
pub fn is_constant(name: &str) -> bool {
    matches!(name, "pixel_mean" | "pixel_std")
}

/// The official name of Hugging Face's `name`; a name that is not known stays as it is.
pub fn official_name(name: &str) -> String {
    if name == SHARED || name == TIED {
        return FREQUENCIES.to_owned();
    }
    match name.split_once('.') {
        Some(("vision_encoder", rest)) => format!("image_encoder.{}", replaced(rest, ENCODER)),
        Some(("prompt_encoder", rest)) => format!("prompt_encoder.{}", replaced(rest, PROMPTS)),
        Some(("mask_decoder", rest)) => format!("mask_decoder.{}", replaced(&head(rest), DECODER)),
        _ => name.to_owned(),
    }
}

/// Parts of names, Hugging Face's and the official ones.
type Parts = [(&'static str, &'static str)];

const ENCODER: &Parts = &[
    ("patch_embed.projection", "patch_embed.proj"),
    ("neck.conv1", "neck.0"),
    ("neck.layer_norm1", "neck.1"),
    ("neck.conv2", "neck.2"),
    ("neck.layer_norm2", "neck.3"),
    ("layer_norm1", "norm1"),
    ("layer_norm2", "norm2"),
    ("layers", "blocks"),
];
const PROMPTS: &Parts = &[
    ("mask_embed.conv1", "mask_downscaling.0"),
    ("mask_embed.layer_norm1", "mask_downscaling.1"),
    ("mask_embed.conv2", "mask_downscaling.3"),
    ("mask_embed.layer_norm2", "mask_downscaling.4"),
    ("mask_embed.conv3", "mask_downscaling.6"),
    ("point_embed", "point_embeddings"),
];
const DECODER: &Parts = &[
    ("layer_norm_final_attn", "norm_final_attn"),
    ("layer_norm1", "norm1"),
    ("layer_norm2", "norm2"),
    ("layer_norm3", "norm3"),
    ("layer_norm4", "norm4"),
    ("upscale_conv1", "output_upscaling.0"),
    ("upscale_layer_norm", "output_upscaling.1"),
    ("upscale_conv2", "output_upscaling.3"),
];

/// `name` with each part that stands between dots replaced by the first that fits.
fn replaced(name: &str, parts: &Parts) -> String {
    let dotted = format!(".{name}.");
    let swap = |text: String, (from, to): &(&str, &str)| {
        text.replace(&format!(".{from}."), &format!(".{to}."))
    };
    let text = parts.iter().fold(dotted, swap);
    text.trim_matches('.').to_owned()
}

/// The three layers of a small head, `proj_in`, `layers.0` and `proj_out`, in the official count.
fn head(name: &str) -> String {
    let is_head =
        name.starts_with("output_hypernetworks_mlps.") || name.starts_with("iou_prediction_head.");
    if !is_head {
        return name.to_owned();
    }
    let moved = name.replace(".layers.0.", ".layers.1.");
    moved
        .replace(".proj_in.", ".layers.0.")
        .replace(".proj_out.", ".layers.2.")
}
