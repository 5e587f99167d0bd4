//! Parameters by name, in the order of their names, and their first values from one seed.
//! Unaware of models: it sees names and shapes only.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::nn::VarStore;
use tch::{Kind, Tensor, no_grad};

/// The parameters of a store by name. The tensors are the store's own, not copies.
pub fn named(store: &VarStore) -> BTreeMap<String, Tensor> {
    store.variables().into_iter().collect()
}

/// How many numbers a store holds.
pub fn count(store: &VarStore) -> usize {
    named(store).values().map(Tensor::numel).sum()
}

/// Copies of all parameters on the CPU, for a file.
pub fn snapshot(store: &VarStore) -> BTreeMap<String, Tensor> {
    named(store)
        .into_iter()
        .map(|(name, t)| (name, owned_copy(&t)))
        .collect()
}

/// A copy of `t` on the CPU that shares nothing with it.
pub fn owned_copy(t: &Tensor) -> Tensor {
    let copy = t.detach().to_device(tch::Device::Cpu);
    if t.device() == tch::Device::Cpu {
        copy.copy()
    } else {
        copy
    }
}

/// Draws all convolutions as `PyTorch`'s default does: weight and bias from U(±1/√`fan_in`), `fan_in` = `c_in`·k·k.
///
/// The numbers come from `ChaCha8` on the CPU, one stream from `seed` through the parameters in name order, so they are
/// the same on every machine and device.
pub fn draw(store: &VarStore, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let params = named(store);
    for (name, param) in &params {
        let bound = 1.0 / (fan_in(name, param, &params) as f32).sqrt();
        let values: Vec<f32> = (0..param.numel())
            .map(|_| bound * symmetric(rng.next_u32()))
            .collect();
        overwrite(
            param,
            &Tensor::from_slice(&values).view(param.size().as_slice()),
        );
    }
}

/// Sets the parameters whose name `chosen` accepts to zero.
pub fn zero(store: &VarStore, chosen: impl Fn(&str) -> bool) {
    for (name, mut param) in named(store) {
        if chosen(&name) {
            let _ = no_grad(|| param.zero_());
        }
    }
}

/// Copies `value` into the parameter in place, across devices.
pub fn overwrite(param: &Tensor, value: &Tensor) {
    no_grad(|| param.shallow_clone().copy_(&value.to_kind(Kind::Float)));
}

/// Inputs of one output number of the convolution that `name` belongs to: those of its weight, for a bias too.
fn fan_in(name: &str, param: &Tensor, params: &BTreeMap<String, Tensor>) -> i64 {
    let weight = name
        .strip_suffix("bias")
        .and_then(|stem| params.get(&format!("{stem}weight")))
        .unwrap_or(param);
    weight.size().iter().skip(1).product::<i64>().max(1)
}

/// A number in [-1, 1) from the top 24 bits, exact in f32.
fn symmetric(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1_u32 << 23) as f32 - 1.0
}
