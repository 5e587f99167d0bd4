//! Checkpoints as PyTorch's `torch.save` writes them, byte by byte: pickles of dictionaries and tensors, in a ZIP archive.
//! Unaware of what a test does with them.

use std::path::Path;

use serde_json::Value as Json;

use crate::zip::stored;

/// A Python object.
#[derive(Clone, Debug)]
pub enum Py {
    Dict(Vec<(String, Py)>),
    Int(u8),
    /// A float32 tensor: its storage's key, and its shape.
    Tensor(usize, Vec<u32>),
}

/// Names, shapes and numbers of a network.
pub type Tensors = Vec<(String, Vec<u32>, Vec<u8>)>;

/// The tensors of a safetensors file, in the order of their names.
pub fn tensors_of(path: &Path) -> Tensors {
    let file = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header: Json = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let number = |json: &Json| json.as_u64().unwrap();
    let mut all: Tensors = header
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, info)| {
            let shape = info["shape"].as_array().unwrap();
            let shape = shape.iter().map(|n| number(n) as u32).collect();
            let at = |i: usize| 8 + length + number(&info["data_offsets"][i]) as usize;
            (name.clone(), shape, file[at(0)..at(1)].to_vec())
        })
        .collect();
    all.sort();
    all
}

/// A state dict of these tensors, `prefix` before each name.
pub fn state(tensors: &Tensors, prefix: &str) -> Py {
    let item = |(at, (name, shape, _)): (usize, &(String, Vec<u32>, Vec<u8>))| {
        (format!("{prefix}{name}"), Py::Tensor(at, shape.clone()))
    };
    Py::Dict(tensors.iter().enumerate().map(item).collect())
}

pub fn dict(items: &[(&str, Py)]) -> Py {
    let item = |(name, value): &(&str, Py)| ((*name).to_owned(), value.clone());
    Py::Dict(items.iter().map(item).collect())
}

/// `torch.save(object)` as a ZIP archive; the storages are those of `tensors`.
pub fn saved(object: &Py, tensors: &Tensors) -> Vec<u8> {
    let mut pickle = b"\x80\x02".to_vec();
    write(object, tensors, &mut pickle);
    pickle.push(b'.');
    archive(&pickle, tensors)
}

/// The archive around a pickle that is given.
pub fn archive(pickle: &[u8], tensors: &Tensors) -> Vec<u8> {
    let names: Vec<String> = (0..tensors.len())
        .map(|at| format!("archive/data/{at}"))
        .collect();
    let mut files: Vec<(&str, &[u8])> = vec![("archive/data.pkl", pickle)];
    files.push(("archive/byteorder", b"little"));
    for (name, (_, _, bytes)) in names.iter().zip(tensors) {
        files.push((name, bytes));
    }
    files.push(("archive/version", b"3\n"));
    zip(&files)
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn number(n: u32, out: &mut Vec<u8>) {
    out.push(b'J');
    out.extend(n.to_le_bytes());
}

/// The opcodes of protocol 2.
pub fn write(object: &Py, tensors: &Tensors, out: &mut Vec<u8>) {
    match object {
        Py::Dict(items) => {
            out.extend(b"}(");
            for (name, value) in items {
                text(name, out);
                write(value, tensors, out);
            }
            out.push(b'u');
        }
        Py::Int(n) => out.extend([b'K', *n]),
        Py::Tensor(key, shape) => tensor(*key, shape, tensors[*key].2.len() as u32 / 4, out),
    }
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
fn tensor(key: usize, shape: &[u32], numbers: u32, out: &mut Vec<u8>) {
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage", out);
    out.extend(b"ctorch\nFloatStorage\n");
    text(&key.to_string(), out);
    text("cpu", out);
    number(numbers, out);
    out.extend(b"tQK\0(");
    for &n in shape {
        number(n, out);
    }
    out.extend(b"t(");
    for i in 0..shape.len() {
        number(shape[i + 1..].iter().product(), out);
    }
    out.extend(b"t\x89ccollections\nOrderedDict\n)RtR");
}

/// A ZIP archive without compression.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, content)| stored(name, content))
        .collect();
    crate::zip::zip(&entries)
}
