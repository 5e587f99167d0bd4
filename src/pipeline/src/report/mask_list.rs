//! What a mask stage lists of its images, as far as reports need it.
//! Unaware of what is made of the masks.

use serde::Deserialize;

/// `masks.json`.
#[derive(Deserialize)]
pub(super) struct MaskList {
    pub images: Vec<MaskFile>,
}

/// The masks of one image.
#[derive(Deserialize)]
pub(super) struct MaskFile {
    /// The image's name.
    pub name: String,
    /// Digest of the photograph that it comes from.
    pub digest: String,
    /// The file of its masks, relative to the stage's folder.
    pub file: String,
}
