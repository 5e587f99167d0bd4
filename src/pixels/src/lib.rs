//! Images and masks without a network: files, crops, resize, noise, PSNR, SSIM, run lengths, segments.
//! Unaware of stages, caches, networks and of where an image's name comes from.

mod bands;
mod blocks;
mod channel;
mod compare;
mod edges;
mod endings;
mod error;
mod folder;
mod formats;
mod graph_masks;
mod image;
mod io;
mod jpeg;
mod labels;
mod left_out;
mod limits;
mod luma;
mod mask_files;
mod mask_image;
mod mask_json;
mod metric;
mod noise;
mod overlay;
mod photo;
mod png;
mod prompt;
mod psnr;
mod resize;
mod resize_float;
mod resize_pil;
mod rle;
pub mod score;
mod segment;
#[cfg(test)]
mod segment_reference;
mod smooth;
mod ssim;
mod stack;
mod survey;
mod taps;
mod tiff;
mod tile;
mod tiles;

pub use crate::bands::{Bands, Span, read_bands};
pub use crate::blocks::{Block, Blocks, BlocksWriter, Item, ItemWriter};
pub use crate::channel::Channel;
pub use crate::endings::ENDINGS;
pub use crate::error::{PixelError, Result};
pub use crate::folder::{ImageFile, Listed, escaped, list_images};
pub use crate::graph_masks::{GRAPH_BYTES, GRAPH_EDGES, GraphConfig, GraphSegmenter, graph_masks};
pub use crate::image::Rgb8;
pub use crate::io::{
    Loaded, Note, Reader, decode_rgb8, encode_png, image_size, image_size_by, read_rgb8,
    read_rgb8_by, write_png,
};
pub use crate::labels::{label_map, largest_first, write_label_map};
pub use crate::left_out::LeftOut;
pub use crate::limits::{
    MAX_MEMORY_SETTING, MAX_PIXELS_SETTING, check_memory, max_pixels, memory_budget,
};
pub use crate::mask_files::{MaskFolder, MasksRead};
pub use crate::mask_image::{MaskRead, Reading};
pub use crate::mask_json::decode_mask_json;
pub use crate::metric::{measured, metrics, psnr, ssim};
pub use crate::noise::{RandomState, gaussian_noise_bgr, noisy_chw_f32};
pub use crate::overlay::{label_colors, overlay};
pub use crate::photo::{Converted, Form, Photo, larger_alpha, read_photo, write_photo};
pub use crate::prompt::point_grid;
pub use crate::resize::{matlab_bicubic_u8, matlab_bicubic_u8_to};
pub use crate::resize_float::{FloatImage, basicsr_bicubic_f32};
pub use crate::resize_pil::{longest_side_size, pil_bilinear_u8};
pub use crate::rle::Rle;
pub use crate::segment::Labels;
pub use crate::stack::MaskStack;
pub use crate::survey::{
    ImageFacts, MaskFacts, image_facts, is_image, mask_image_facts, mask_json_facts,
};
pub use crate::tiles::{Window, prefetch_tiles, push_tiles, read_tiles, tiled_bytes, write_tiles};
