//! Tests of the networks' room beyond parity: weights on disk, first values, the optimiser, gradients.
//! Unaware of the golden numbers, which `tests/parity` compares.

mod checkpoints;
mod kernels;
mod sam;
mod sam_attention;
mod sam_masks;
mod training;
mod transformers;

use std::path::{Path, PathBuf};

use tch::Device;
use tch::nn::VarStore;

use super::layers::Conv;

/// A file of `tests/checkpoints`, made by its `make.py`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/checkpoints")
        .join(name)
}

/// A store with the one convolution that the fixtures hold: `weight` (2, 1, 3, 3) and `bias` (2).
fn small_store() -> (VarStore, Conv) {
    let store = VarStore::new(Device::Cpu);
    let conv = Conv::new(&store.root(), 1, 2, 3);
    (store, conv)
}
