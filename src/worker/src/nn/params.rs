//! Parameters by name, in the order of their names, and their first values from one seed.
//! Unaware of models: it sees names and shapes only.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::nn::VarStore;
use tch::{Kind, Tensor, no_grad};

use super::host;

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
    let copy = host::tensor(&t.detach());
    if t.device() == tch::Device::Cpu {
        copy.copy()
    } else {
        copy
    }
}

/// Draws first values as the official codes do, by the shape of each weight.
///
/// Convolutions as `PyTorch`'s default: weight and bias from U(±1/√`fan_in`), `fan_in` = `c_in`·k·k. Linear layers (two
/// dimensions) from N(0, 0.02²) with zero bias, norms (one dimension) one with zero bias: `_init_weights` of ART and CAT.
/// The numbers come from `ChaCha8` on the CPU, one stream from `seed` through the parameters in name order, so they are
/// the same on every machine and device.
pub fn draw(store: &VarStore, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let params = named(store);
    for (name, param) in &params {
        let weight = weight_of(name, param, &params);
        let bound = 1.0 / (fan_in(weight) as f32).sqrt();
        let mut value = || match weight.dim() {
            1 => f32::from(u8::from(!name.ends_with("bias"))),
            2 if name.ends_with("bias") => 0.0,
            2 => LINEAR_DEVIATION * normal(&mut rng),
            _ => bound * symmetric(rng.next_u32()),
        };
        let values: Vec<f32> = (0..param.numel()).map(|_| value()).collect();
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
    host::overwrite(param, &value.to_kind(Kind::Float));
}

/// Standard deviation of the weights of linear layers.
const LINEAR_DEVIATION: f32 = 0.02;

/// The weight of the layer that `name` belongs to: for a bias, the one beside it.
fn weight_of<'a>(
    name: &str,
    param: &'a Tensor,
    params: &'a BTreeMap<String, Tensor>,
) -> &'a Tensor {
    name.strip_suffix("bias")
        .and_then(|stem| params.get(&format!("{stem}weight")))
        .unwrap_or(param)
}

/// Inputs of one output number of a layer with this weight.
fn fan_in(weight: &Tensor) -> i64 {
    weight.size().iter().skip(1).product::<i64>().max(1)
}

/// A number of N(0, 1) (Box and Muller), from two draws.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let mut unit = || f64::from(symmetric(rng.next_u32())).midpoint(1.0); // in [0, 1)
    let (radius, angle) = (1.0 - unit(), std::f64::consts::TAU * unit());
    ((-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
}

/// A number in [-1, 1) from the top 24 bits, exact in f32.
fn symmetric(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1_u32 << 23) as f32 - 1.0
}
