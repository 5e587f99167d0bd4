//! CAT, the cross aggregation transformer: Chen et al., "Cross Aggregation Transformer for Image Restoration" (2022), as
//! zhengchen1999/CAT `basicsr/archs/cat_arch.py`. Unaware of masks, SPT units and training.

mod config;
mod net;
mod windows;

pub use config::Config;
pub use net::{Block, Cat, Group, is_buffer};
pub use windows::Windows;
