//! What a file of weights holds, for a person who asks: every tensor, the network it looks like, numbers that are none.
//! Unaware of who asks and of how it is shown.

use std::path::Path;

use serde::Serialize;
use tch::Kind;

use super::entry::Entry;
use super::error::CheckpointError;
use super::guess::{self, Recognised};
use super::network::{self, Wanted};
use super::weights::{self, Weights};
use crate::nn::cat;
use crate::nn::sam::{is_constant, official_name};

/// What a file of weights holds.
#[derive(Debug, Serialize)]
pub struct Survey {
    /// How the file is built.
    pub container: String,
    /// Its tensors, by name.
    pub tensors: Vec<Listed>,
    /// The network that it looks like.
    pub network: Option<Network>,
    /// Names of code among its values: the file is refused for them.
    pub foreign: Vec<String>,
    /// Names of code that a pickle mentions and no weights need.
    pub unused: Vec<String>,
}

/// A tensor.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its path through the file's dictionaries.
    pub name: String,
    /// The type of its numbers.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// Numbers that are NaN or infinite.
    pub not_finite: u64,
}

/// A network, and where in the file it stands.
#[derive(Debug, Serialize)]
pub struct Network {
    /// What it is.
    pub title: String,
    /// What a pipeline file says to get it; nothing where no configuration was found to have its names and shapes.
    pub fits: Option<String>,
    /// What shows in no weight, or why nothing fits.
    pub remark: String,
    /// What it expects of its input.
    pub input: String,
    /// What stands before its names.
    pub prefix: String,
    /// What `pretrained` would say of that place.
    pub note: Option<String>,
}

/// Reads the file at `path`, all numbers included; runs nothing.
pub fn survey(path: &Path) -> Result<Survey, CheckpointError> {
    let (weights, origin) = weights::look(path)?;
    let network = network(&weights);
    let mut tensors = Vec::new();
    for (name, entry) in &weights.entries {
        tensors.push(Listed {
            name: name.clone(),
            dtype: entry.stored_as.clone(),
            shape: entry.size.clone(),
            not_finite: not_finite(entry).map_err(|error| CheckpointError::Unreadable {
                path: path.to_path_buf(),
                reason: format!("`{}`: {error}", name.escape_debug()),
            })?,
        });
    }
    Ok(Survey {
        container: origin.container.to_owned(),
        tensors,
        network,
        foreign: origin.foreign,
        unused: weights.unused,
    })
}

fn network(weights: &Weights) -> Option<Network> {
    let found = weights.shapes();
    let it = guess::recognise(&found)?;
    let is_hugging_face = found
        .keys()
        .any(|n| n.split('.').any(|part| part == "vision_encoder"));
    let rename = if is_hugging_face {
        official_name
    } else {
        str::to_owned
    };
    let wanted = Wanted {
        shapes: it.shapes.clone(),
        rename: &rename,
        ignored: &|name| cat::is_buffer(name) || is_constant(name),
        entry: None,
    };
    // Where it would be taken from, of several copies too; what fits nothing stands where it was seen.
    let place = (!it.shapes.is_empty())
        .then(|| network::find(&found, &wanted).ok())
        .flatten();
    let Recognised {
        prefix,
        title,
        fits,
        remark,
        input,
        ..
    } = it;
    Some(Network {
        title,
        fits,
        remark,
        input: input.to_owned(),
        note: place.as_ref().and_then(network::Place::note),
        prefix: place.map_or(prefix, |place| place.prefix),
    })
}

/// Numbers of a floating-point tensor that are NaN or infinite: all bits of their exponent are set.
fn not_finite(entry: &Entry) -> std::io::Result<u64> {
    let mask: u64 = match entry.kind {
        Some(Kind::Float) => 0x7f80_0000,
        Some(Kind::Double) => 0x7ff0_0000_0000_0000,
        Some(Kind::Half) => 0x7c00,
        Some(Kind::BFloat16) => 0x7f80,
        _ => return Ok(0),
    };
    let bytes = (entry.read)()?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let numbers = bytes.chunks_exact(entry.width as usize).map(number);
    Ok(numbers.filter(|bits| bits & mask == mask).count() as u64)
}
