//! The safetensors format: a file's tensors, and the same bytes for the same tensors on writing.
//! Unaware of models and of what the numbers mean.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use files::Data;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use tch::{Kind, Tensor};

use super::entry::Entry;
use super::error::CheckpointError;
use crate::nn::host;

/// Whether a file opens like safetensors: a header's length, then `{`.
pub(super) fn looks_like(start: &[u8]) -> bool {
    let length = start
        .first_chunk::<8>()
        .map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
    length <= MAX_HEADER && start.get(8) == Some(&b'{')
}

/// The largest header the format allows, bytes: what is longer is no safetensors file.
const MAX_HEADER: u64 = 100_000_000;

/// The largest header that is read, bytes: room for a hundred thousand tensors, where the largest network here has two
/// thousand. One of the format's own limit takes over a gigabyte of memory.
const MAX_READ: u64 = 16 << 20;

/// The tensors of a file; `path` is for messages. Only the header is read: a file may be larger than memory.
pub(super) fn entries(data: Data, path: &Path) -> Result<BTreeMap<String, Entry>, CheckpointError> {
    let unreadable = |reason: String| CheckpointError::Unreadable {
        path: path.to_path_buf(),
        reason,
    };
    let io = |source| CheckpointError::Io {
        path: path.to_path_buf(),
        source,
    };
    let header = header(&data).map_err(io)?;
    if header.len() as u64 > MAX_READ {
        return Err(unreadable(format!(
            "its header has more than {MAX_READ} bytes"
        )));
    }
    // The format's own reader takes the last of several tensors of one name.
    let Keys(keys) =
        serde_json::from_slice(&header).map_err(|error| unreadable(error.to_string()))?;
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(unreadable(format!(
            "its header has `{}` twice",
            pair[0].escape_debug()
        )));
    }
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| unreadable(error.to_string()))?;
    let begin = 8 + header.len() as u64;
    let length = data.length().map_err(io)?.saturating_sub(begin);
    if metadata.data_len() as u64 != length {
        let reason = format!(
            "its tensors take {} bytes, and {length} are there",
            metadata.data_len()
        );
        return Err(unreadable(reason));
    }
    let data = Rc::new(data);
    let entry = |(name, info): (String, &TensorInfo)| {
        if !is_whole(info) {
            return Err(unreadable(format!("`{name}` and its place do not fit")));
        }
        Ok((name, lazy(info, Rc::clone(&data), begin)))
    };
    metadata.tensors().into_iter().map(entry).collect()
}

/// The keys of a JSON object, sorted, each as often as it is there.
struct Keys(Vec<String>);

impl<'de> serde::Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    keys.push(key);
                }
                keys.sort_unstable();
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// The header of a file, a part of it where it is longer than what is read. Numbers begin behind it.
fn header(data: &Data) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    data.read_exact_at(&mut length, 0)?;
    let there = data.length()?.saturating_sub(8);
    let length = u64::from_le_bytes(length).min(MAX_READ + 1).min(there);
    let mut header = vec![0; length as usize];
    data.read_exact_at(&mut header, 8)?;
    Ok(header)
}

/// Whether a tensor's place in the file is as long as its shape says.
fn is_whole(info: &TensorInfo) -> bool {
    let (start, end) = info.data_offsets;
    let bits = info
        .shape
        .iter()
        .try_fold(info.dtype.bitsize(), |bits, &n| bits.checked_mul(n));
    end.checked_sub(start)
        .and_then(|bytes| bytes.checked_mul(8))
        == bits
}

fn lazy(info: &TensorInfo, data: Rc<Data>, begin: u64) -> Entry {
    let (start, end) = info.data_offsets;
    let at = begin + start as u64;
    Entry {
        kind: kind(info.dtype),
        stored_as: format!("{:?}", info.dtype),
        size: info.shape.iter().map(|&n| n as i64).collect(),
        width: info.dtype.bitsize().div_ceil(8) as u64,
        read: Box::new(move || {
            let mut bytes = vec![0; end - start];
            data.read_exact_at(&mut bytes, at)?;
            Ok(bytes)
        }),
    }
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        _ => return None,
    })
}

fn dtype(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::Bool => Dtype::BOOL,
        Kind::Uint8 => Dtype::U8,
        Kind::Int8 => Dtype::I8,
        Kind::Int16 => Dtype::I16,
        Kind::Int => Dtype::I32,
        Kind::Int64 => Dtype::I64,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Float => Dtype::F32,
        Kind::Double => Dtype::F64,
        _ => return None,
    })
}

/// The bytes of a safetensors file of `tensors`: the same for the same input, anywhere.
///
/// `metadata` is stored as one JSON text under the key `pipeline`, its entries sorted: the writer keeps metadata in a
/// hash map, whose order would differ from run to run.
pub fn safetensors_bytes(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> io::Result<Vec<u8>> {
    let stored: Vec<(&String, Stored)> = tensors
        .iter()
        .map(|(name, t)| Ok((name, Stored::new(t)?)))
        .collect::<io::Result<_>>()?;
    let views = stored
        .iter()
        .map(|(name, s)| Ok((*name, s.view()?)))
        .collect::<io::Result<Vec<_>>>()?;
    let header = serde_json::to_string(metadata)?;
    let header = (!metadata.is_empty()).then(|| HashMap::from([("pipeline".to_owned(), header)]));
    safetensors::serialize(views, header).map_err(io::Error::other)
}

/// Writes `tensors` to `path`, replacing what is there.
pub fn save_safetensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_path_buf(),
        source,
    };
    fs::write(path, safetensors_bytes(tensors, metadata).map_err(io)?).map_err(io)
}

/// A tensor's bytes on the CPU, in row-major order.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn new(tensor: &Tensor) -> io::Result<Self> {
        let kind = tensor.kind();
        let dtype =
            dtype(kind).ok_or_else(|| io::Error::other(format!("cannot store {kind:?}")))?;
        let bytes = host::memory(&tensor.detach()).map_err(io::Error::other)?;
        Ok(Self {
            dtype,
            shape: tensor.size().iter().map(|&n| n as usize).collect(),
            bytes,
        })
    }

    fn view(&self) -> io::Result<TensorView<'_>> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes).map_err(io::Error::other)
    }
}
