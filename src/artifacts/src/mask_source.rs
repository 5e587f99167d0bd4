//! Who makes the masks of an exported model.
//! Unaware of the model.

use serde::{Deserialize, Serialize};
use spec::kinds::Mask;

/// A mask stage, apart from its images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskSource {
    /// Its configuration; paths are names of files alone.
    pub mask: Mask,
    /// The masks that it reads, where it takes those of another image.
    pub of: Option<Box<MaskSource>>,
}
