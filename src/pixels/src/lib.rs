//! Images and masks without a network: files, crops, resize, noise, PSNR, SSIM, run lengths, segments.
//! Unaware of stages, caches, networks and of where an image's name comes from.

mod compare;
mod error;
mod folder;
mod graph_masks;
mod image;
mod io;
mod labels;
mod luma;
mod mask_files;
mod metric;
mod noise;
mod overlay;
mod prompt;
mod psnr;
mod resize;
mod resize_float;
mod resize_pil;
mod rle;
mod segment;
mod ssim;
mod stack;
mod taps;

pub use crate::error::{PixelError, Result};
pub use crate::folder::list_images;
pub use crate::graph_masks::{GraphConfig, GraphSegmenter, graph_masks};
pub use crate::image::Rgb8;
pub use crate::io::{Loaded, MAX_PIXELS, Note, decode_rgb8, encode_png, read_rgb8, write_png};
pub use crate::labels::{label_map, largest_first, write_label_map};
pub use crate::mask_files::{read_mask_folder, read_mask_json, read_masks};
pub use crate::metric::{Channel, metrics, psnr, ssim};
pub use crate::noise::{RandomState, gaussian_noise_bgr, noisy_chw_f32};
pub use crate::overlay::overlay;
pub use crate::prompt::point_grid;
pub use crate::resize::{matlab_bicubic_u8, matlab_bicubic_u8_to};
pub use crate::resize_float::{FloatImage, basicsr_bicubic_f32};
pub use crate::resize_pil::{longest_side_size, pil_bilinear_u8};
pub use crate::rle::Rle;
pub use crate::segment::{Labels, SortedEdges};
pub use crate::stack::MaskStack;
