//! The numbers that convolutions, linear layers and attention compute with: float32, or others while a closure runs.
//! Unaware of devices, models and of why less precise numbers are wanted.
//!
//! As `torch.autocast` has it: weights stay in float32 and are cast where they are used; norms, statistics, sums with a
//! residual and the last convolution of a network are in float32, so that features do not lose what each block adds.

use std::cell::Cell;

use tch::{Kind, Tensor};

thread_local! {
    static KIND: Cell<Kind> = const { Cell::new(Kind::Float) };
}

/// Runs `body` with layers that compute in `kind`. On this thread; networks run on one.
pub fn with<T>(kind: Kind, body: impl FnOnce() -> T) -> T {
    let _restore = Restore(KIND.replace(kind));
    body()
}

/// Runs `body` with layers that compute in float32.
pub fn full<T>(body: impl FnOnce() -> T) -> T {
    with(Kind::Float, body)
}

/// `x` in the numbers that layers compute with now; `x` itself where it has them.
pub fn cast(x: &Tensor) -> Tensor {
    to(x, KIND.get())
}

/// `x` in `kind`; `x` itself where it has it.
pub fn to(x: &Tensor, kind: Kind) -> Tensor {
    if x.kind() == kind {
        x.shallow_clone()
    } else {
        x.to_kind(kind)
    }
}

/// Sets the kind back, also when a panic passes through.
struct Restore(Kind);

impl Drop for Restore {
    fn drop(&mut self) {
        KIND.set(self.0);
    }
}
