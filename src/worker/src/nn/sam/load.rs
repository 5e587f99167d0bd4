//! A Segment Anything model with the weights of a file, Meta's or Hugging Face's.
//! Unaware of file formats, and of what the model is used for.

use std::path::Path;

use spec::names::SamPrecision;
use tch::Device;
use tch::nn::VarStore;

use super::config::Config;
use super::error::SamError;
use super::model::Sam;
use super::names::{is_constant, official_name};
use crate::nn::checkpoint::{self, CheckpointError, Place, Wanted, Weights};

impl Sam {
    /// A model of `config` with the weights of the file at `path`: Meta's `.pth` or Hugging Face's safetensors.
    ///
    /// `entry` chooses one of several copies in the file. Strict: a name too many or too few, another shape or a NaN is an error that names it.
    pub fn load(
        path: &Path,
        config: &Config,
        device: Device,
        precision: SamPrecision,
        entry: Option<&str>,
    ) -> Result<Self, SamError> {
        Self::with_weights(checkpoint::open(path)?, config, device, precision, entry)
    }

    /// As [`Sam::load`], of a file that is open already.
    pub fn with_weights(
        weights: Weights,
        config: &Config,
        device: Device,
        precision: SamPrecision,
        entry: Option<&str>,
    ) -> Result<Self, SamError> {
        let mut sam = Self::new(config, device)?;
        let (weights, place) = official(weights, sam.store(), entry)?;
        weights.fill(sam.store())?;
        sam.notes = place.note().into_iter().chain(weights.note()).collect();
        sam.freeze();
        sam.set_precision(precision);
        Ok(sam)
    }
}

/// The tensors of `weights` that are `store`'s, by their official names, whichever of the two naming schemes they came in
/// and whatever stands before them; and where they stood.
fn official(
    weights: Weights,
    store: &VarStore,
    entry: Option<&str>,
) -> Result<(Weights, Place), CheckpointError> {
    let is_hugging_face = weights
        .names()
        .any(|name| name.split('.').any(|part| part == "vision_encoder"));
    let rename = if is_hugging_face {
        official_name
    } else {
        str::to_owned
    };
    weights.network(&Wanted {
        shapes: checkpoint::shapes(store),
        rename: &rename,
        ignored: &is_constant,
        entry,
    })
}
