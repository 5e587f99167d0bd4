//! Checkpoints of `PyTorch` as this program's: types that libtorch knows, errors with the file's name.
//! Unaware of the format (crate `pth`) and of models.

use std::collections::BTreeMap;
use std::path::Path;

use files::Data;
use pth::{Checkpoint, Dtype, Error, Tensor};
use tch::Kind;

use super::entry::Entry;
use super::error::CheckpointError;

/// Reads a file; `path` is for messages. Nothing of it is ever run.
pub(super) fn read(data: Data, path: &Path) -> Result<Checkpoint, CheckpointError> {
    pth::read(data, limit()).map_err(|error| ours(path, error))
}

/// Its tensors, named by their path through its dictionaries, joined with dots.
pub(super) fn entries(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Entry> {
    tensors
        .into_iter()
        .map(|(name, tensor)| (name, lazy(tensor)))
        .collect()
}

/// What a pickle may take in memory. A setting that cannot be read counts as none: `pipeline` has refused it before.
fn limit() -> u64 {
    let set = std::env::var(spec::Limits::VARIABLE).unwrap_or_default();
    spec::Limits::parse(&set).map_or(pth::USUAL_LIMIT, |limits| limits.pickle)
}

fn lazy(tensor: Tensor) -> Entry {
    Entry {
        kind: kind(tensor.dtype()),
        stored_as: tensor.dtype().name().to_owned(),
        size: tensor.shape().iter().map(|&n| n as i64).collect(),
        width: tensor.dtype().width(),
        read: Box::new(move || tensor.read()),
    }
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::I16 => Kind::Int16,
        Dtype::I8 => Kind::Int8,
        Dtype::U8 => Kind::Uint8,
        Dtype::Bool => Kind::Bool,
        Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::Other(..) => return None,
    })
}

fn ours(path: &Path, error: Error) -> CheckpointError {
    let path = path.to_path_buf();
    match error {
        Error::Io(source) => CheckpointError::Io { path, source },
        Error::Damaged(reason) => CheckpointError::Unreadable { path, reason },
        Error::TooLarge { most } => CheckpointError::Limit { path, most },
        Error::Twice { name } => CheckpointError::Twice { path, name },
        Error::Form { name, form, hint } => CheckpointError::Form {
            path,
            name,
            form,
            hint,
        },
    }
}
