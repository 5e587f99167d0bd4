//! Segment Anything: Kirillov et al., "Segment Anything" (ICCV 2023), after facebookresearch/segment-anything.
//! Unaware of stages, granularities and of what its masks are for.

pub mod attention;
pub mod candidates;
pub mod config;
pub mod crops;
pub mod decoder;
pub mod encoder;
pub mod enlarge;
pub mod error;
pub mod fused;
pub mod generator;
pub mod held;
pub mod layers;
mod load;
pub mod model;
pub mod names;
pub mod nms;
pub mod params;
pub mod preprocess;
pub mod product;
pub mod prompt;
pub mod regions;
pub mod relpos;
pub mod scan;
pub mod scan_device;
pub mod transformer;

pub use candidates::MaskRecord;
pub use config::Config;
pub use error::SamError;
pub use generator::Generator;
pub use model::{Embedding, Sam};
pub use names::{is_constant, official_name};
pub use params::Params;
pub use preprocess::Scaled;
pub use spec::names::SamPrecision as Precision;
