//! What this reader and `pytorch-reader` both read is the same; the files are `PyTorch`'s own and those of this project.
//! Unaware of files that only one of them reads.

use std::path::{Path, PathBuf};

/// The files that `PyTorch` wrote.
pub fn files() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/checkpoints");
    // Another folder of files to compare, such as the reader's own tests.
    let more = std::env::var_os("PIPELINE_PTH_FILES").map(PathBuf::from);
    let mut all: Vec<PathBuf> = [Some(own), more]
        .into_iter()
        .flatten()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            ["pth", "pt", "tar"]
                .iter()
                .any(|e| path.extension().is_some_and(|x| x == *e))
        })
        .collect();
    all.sort();
    all
}

/// Name, shape and bytes of each tensor that the other reader finds.
type Tensors = Vec<(String, Vec<u64>, Vec<u8>)>;

pub fn theirs(path: &Path) -> Option<Tensors> {
    let read = || {
        let reader = pytorch_reader::PytorchReader::new(path).ok()?;
        let mut all: Tensors = Vec::new();
        for (name, tensor) in reader.tensors() {
            if tensor.byte_len() > 1 << 20 {
                return None;
            }
            let shape = tensor.shape().iter().map(|&n| n as u64).collect();
            all.push((name.clone(), shape, tensor.read().ok()?));
        }
        all.sort();
        Some(all)
    };
    std::panic::catch_unwind(read).ok()?
}

pub fn ours(path: &Path) -> Result<Tensors, String> {
    tensors(pth::open(path, pth::USUAL_LIMIT))
}

/// The same of a file in memory.
pub fn ours_of(bytes: &[u8]) -> Result<Tensors, String> {
    tensors(pth::read(bytes.to_vec().into(), pth::USUAL_LIMIT))
}

fn tensors(checkpoint: Result<pth::Checkpoint, pth::Error>) -> Result<Tensors, String> {
    let checkpoint = checkpoint.map_err(|e| e.to_string())?;
    let read = |(name, tensor): (&String, &pth::Tensor)| {
        if tensor.bytes() > 1 << 20 {
            return Err("large".to_owned());
        }
        let bytes = tensor.read().map_err(|e| e.to_string())?;
        Ok((name.clone(), tensor.shape().to_vec(), bytes))
    };
    checkpoint.tensors.iter().map(read).collect()
}

#[test]
fn both_readers_read_the_same() {
    let mut compared = 0;
    for path in files() {
        match (theirs(&path), ours(&path)) {
            (Some(theirs), Ok(ours)) => {
                assert_eq!(ours, theirs, "{}", path.display());
                compared += 1;
            }
            (Some(_), Err(error)) => panic!("{}: {error}", path.display()),
            (None, ours) => println!("{}: only here: {}", path.display(), ours.is_ok()),
        }
    }
    assert!(compared > 8, "{compared}");
}
