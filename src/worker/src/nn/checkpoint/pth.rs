//! `PyTorch`'s own checkpoint files, read without Python and without running anything of their pickle.
//! Unaware of models; which names of code a file of weights may mention is decided here.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pytorch_reader::{DType, PickleError, PickleValue, PytorchError, PytorchReader, Tensor};
use tch::Kind;

use super::error::CheckpointError;
use super::weights::Entry;

/// The tensors of the file at `path`, named by their path through its dictionaries, joined with dots.
///
/// The reader only ever builds values from the pickle and calls nothing. What a pickle wants to be called and is not
/// known as a part of tensors is refused here by name, rather than skipped.
pub(super) fn entries(path: &Path) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    refuse_foreign(path)?;
    let reader = guarded(path, || PytorchReader::new(path))?;
    if reader.is_empty() {
        return Err(unreadable(path, "it holds no tensors".to_owned()));
    }
    Ok(reader
        .into_tensors()
        .into_iter()
        .map(|(name, tensor)| (name, lazy(tensor)))
        .collect())
}

fn lazy(tensor: Tensor) -> Entry {
    let (_, dtype, shape, read) = tensor.into_parts();
    Entry {
        kind: kind(dtype),
        stored_as: format!("{dtype:?}"),
        size: shape.iter().map(|&n| n as i64).collect(),
        read: Box::new(read),
    }
}

fn kind(dtype: DType) -> Option<Kind> {
    Some(match dtype {
        DType::F64 => Kind::Double,
        DType::F32 => Kind::Float,
        DType::F16 => Kind::Half,
        DType::BF16 => Kind::BFloat16,
        DType::I64 => Kind::Int64,
        DType::I32 => Kind::Int,
        DType::I16 => Kind::Int16,
        DType::I8 => Kind::Int8,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
        DType::U64 | DType::U32 | DType::U16 => return None,
    })
}

/// Names the globals of the pickle that a file of weights has no use for.
fn refuse_foreign(path: &Path) -> Result<(), CheckpointError> {
    let root = guarded(path, || PytorchReader::read_pickle_data(path, None))?;
    let mut names = BTreeSet::new();
    collect_foreign(&root, &mut names);
    if names.is_empty() {
        return Ok(());
    }
    Err(CheckpointError::Foreign {
        path: path.to_path_buf(),
        names: names.into_iter().collect(),
    })
}

fn collect_foreign(value: &PickleValue, names: &mut BTreeSet<String>) {
    match value {
        PickleValue::Unsupported(name) if !is_harmless(name) => {
            names.insert(name.clone());
        }
        PickleValue::List(items) => items.iter().for_each(|item| collect_foreign(item, names)),
        PickleValue::Dict(items) => items.values().for_each(|item| collect_foreign(item, names)),
        _ => {}
    }
}

/// Whether a name is data that training programs store beside weights: tensors, types, `NumPy` numbers, wide integers.
fn is_harmless(name: &str) -> bool {
    const MODULES: [&str; 3] = ["torch.", "numpy.", "collections."];
    const NAMES: [&str; 6] = [
        "_codecs.encode",
        "argparse.Namespace",
        "int",
        "pathlib.PosixPath",
        "builtins.complex",
        "builtins.slice",
    ];
    let plain_torch =
        |rest: &str| !rest.contains('.') || rest.starts_with("storage.") || rest.starts_with("nn.");
    match MODULES.iter().find_map(|module| name.strip_prefix(module)) {
        Some(rest) if name.starts_with("torch.") => plain_torch(rest),
        Some(_) => true,
        None => NAMES.contains(&name),
    }
}

/// Runs the reader, and turns its errors and its panics into ours.
fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, PytorchError>,
) -> Result<T, CheckpointError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(ours(path, error)),
        Err(panic) => Err(unreadable(
            path,
            format!("its reader gave up: {}", message(panic.as_ref())),
        )),
    }
}

fn ours(path: &Path, error: PytorchError) -> CheckpointError {
    match error {
        PytorchError::Io(source) => CheckpointError::Io {
            path: path.to_path_buf(),
            source,
        },
        PytorchError::Pickle(PickleError::UnsupportedType(name)) if !is_harmless(&name) => {
            CheckpointError::Foreign {
                path: path.to_path_buf(),
                names: vec![name],
            }
        }
        other => unreadable(path, other.to_string()),
    }
}

fn unreadable(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Unreadable {
        path: path.to_path_buf(),
        reason,
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
