//! What can go wrong with Segment Anything, each with a readable message and a hint.
//! Unaware of how stages report errors.

use thiserror::Error;

use crate::nn::checkpoint::CheckpointError;

/// An error of a model, of its input or of its settings.
#[derive(Debug, Error)]
pub enum SamError {
    /// The weights cannot be used.
    #[error(transparent)]
    Checkpoint(Box<CheckpointError>),
    /// A shape that no model has.
    #[error(
        "this is no shape of a SAM: {reason}\n  hint: take one of the published ones, ViT-B, ViT-L or ViT-H"
    )]
    Config {
        /// What contradicts what.
        reason: String,
    },
    /// An image without pixels, or one so narrow that nothing is left of it at the model's size.
    #[error(
        "an image of {}x{} cannot be segmented: scaled to a longer side of {target}, nothing is left of it\n  \
         hint: leave this image out", size.0, size.1
    )]
    Image {
        /// Width and height.
        size: (usize, usize),
        /// The model's side.
        target: i64,
    },
    /// The image embedding holds NaN or infinite values.
    #[error(
        "SAM's image encoder gives NaN or infinite values; the first module that shows them is `image_encoder.{module}`\n  \
         hint: the weights may be damaged; with half precision, try bfloat16 or float32"
    )]
    NotFinite {
        /// The module's official name.
        module: String,
    },
    /// Settings of the mask generator that contradict each other.
    #[error("the mask generator cannot work so: {reason}")]
    Params {
        /// What contradicts what, and what to do.
        reason: String,
    },
}

impl From<CheckpointError> for SamError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}
