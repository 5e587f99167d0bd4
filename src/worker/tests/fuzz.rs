//! Mutated files of the safetensors format: an error or whole tensors, never a panic, and no more memory than the file
//! is long. Unaware of which it is. A program of its own, because the memory that is watched is the whole process's.
//! `make soak` sets how long it goes on.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, and the figures that they print"
)]

#[path = "../../../tests/dice.rs"]
mod dice;
#[path = "../../../tests/fuzz.rs"]
mod fuzzer;

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_worker::nn::checkpoint::{self, safetensors_bytes};
use tch::{Kind, Tensor};

/// A file of `tests/checkpoints`, made by its `make.py`.
fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/checkpoints")
        .join(name)
}

/// Every type that the format and libtorch share, no numbers at all, and headers that lie.
fn corpus() -> Vec<Vec<u8>> {
    let kinds = [
        Kind::Float,
        Kind::Half,
        Kind::BFloat16,
        Kind::Double,
        Kind::Int64,
        Kind::Int,
        Kind::Int16,
        Kind::Int8,
        Kind::Uint8,
        Kind::Bool,
    ];
    let tensor = |(n, kind): (usize, &Kind)| {
        let numbers = Tensor::from_slice(&[0.0_f32, 1.0, -2.5, f32::NAN, f32::INFINITY, 3e38]);
        let shape: &[i64] = if n % 2 == 0 { &[2, 3] } else { &[6] };
        (
            format!("layer.{n}.weight"),
            numbers.to_kind(*kind).view(shape),
        )
    };
    let tensors: BTreeMap<String, Tensor> = kinds.iter().enumerate().map(tensor).collect();
    let facts = BTreeMap::from([("key".to_owned(), "\u{1b}[2J\"}".to_owned())]);
    let whole = safetensors_bytes(&tensors, &facts).unwrap();
    let empty = safetensors_bytes(&BTreeMap::new(), &BTreeMap::new()).unwrap();
    let lies = [
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#,
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F8_E4M3","shape":[0,7],"data_offsets":[0,0]}}"#,
    ];
    let with_length = |header: &&str| {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend([0; 8]);
        file
    };
    let mut corpus = vec![whole, empty];
    corpus.extend(lies.iter().map(with_length));
    corpus.push(std::fs::read(fixture("sam_hf_io.safetensors")).unwrap());
    corpus.retain(|file| file.len() < 100_000);
    corpus
}

#[test]
fn safetensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    fuzzer::fuzz("safetensors", 4.0, &corpus(), |bytes| {
        std::fs::write(&path, bytes).unwrap();
        let Ok(weights) = checkpoint::open(&path) else {
            return;
        };
        let Ok(tensors) = weights.tensors_as_stored() else {
            return;
        };
        let bytes_of = |t: &Tensor| t.numel() * t.kind().elt_size_in_bytes();
        let taken: usize = tensors.values().map(bytes_of).sum();
        assert!(taken <= bytes.len(), "{taken} bytes of {}", bytes.len());
        let _ = weights.shapes();
    });
}
