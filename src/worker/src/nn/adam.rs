//! The Adam optimiser (Kingma & Ba 2015) as `torch.optim.Adam` computes it, without weight decay and amsgrad.
//! Unaware of models, schedules and files: it sees named parameters, a loss and a learning rate.

use std::collections::BTreeMap;

use tch::{Kind, Tensor, no_grad};
use thiserror::Error;

use super::params;

/// The constants of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for Config {
    /// β = (0.9, 0.999) as the paper states, ε = 1e-8 as `PyTorch`'s default.
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        }
    }
}

/// Stored moments that do not fit the parameters.
#[derive(Debug, Error)]
pub enum StateError {
    /// A parameter has no moment in the stored state.
    #[error("optimiser state lacks `{0}`")]
    Missing(String),
    /// A stored moment belongs to no parameter.
    #[error("optimiser state has `{0}`, which belongs to no parameter")]
    Unexpected(String),
    /// A stored moment has another shape than its parameter.
    #[error("optimiser state has `{name}` as {found:?}, its parameter is {expected:?}")]
    Shape {
        /// The moment's name.
        name: String,
        /// Its stored shape.
        found: Vec<i64>,
        /// The parameter's shape.
        expected: Vec<i64>,
    },
}

/// One parameter with its moments.
#[derive(Debug)]
struct Slot {
    name: String,
    param: Tensor,
    mean: Tensor,
    square: Tensor,
}

/// The optimiser. It visits parameters in the order of their names; a step is deterministic on the CPU.
#[derive(Debug)]
pub struct Adam {
    config: Config,
    slots: Vec<Slot>,
    steps: u64,
}

impl Adam {
    /// An optimiser of `params`, which must require gradients, with zero moments.
    pub fn new(params: &BTreeMap<String, Tensor>, config: Config) -> Self {
        let slots = params.iter().map(|(name, param)| Slot {
            name: name.clone(),
            param: param.shallow_clone(),
            mean: param.detach().zeros_like(),
            square: param.detach().zeros_like(),
        });
        Self {
            config,
            slots: slots.collect(),
            steps: 0,
        }
    }

    /// Steps taken so far, t of the bias corrections.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step down the gradient of the scalar `loss` at learning rate `lr`.
    pub fn step(&mut self, loss: &Tensor, lr: f64) {
        let gradients = self.gradients(loss);
        self.apply(&gradients, lr);
    }

    /// The gradients of the scalar `loss`, in the order of the parameters' names. The graph is freed.
    pub fn gradients(&self, loss: &Tensor) -> Vec<Tensor> {
        let params: Vec<&Tensor> = self.slots.iter().map(|slot| &slot.param).collect();
        Tensor::run_backward(&[loss], &params, false, false)
    }

    /// One step with these gradients, which are in the order of the parameters' names.
    ///
    /// A parameter that the loss does not depend on (an undefined gradient) keeps its value and its moments.
    pub fn apply(&mut self, gradients: &[Tensor], lr: f64) {
        self.steps += 1;
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let rate = lr / (1.0 - self.config.beta1.powi(t));
        let root = (1.0 - self.config.beta2.powi(t)).sqrt();
        no_grad(|| {
            for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
                if gradient.defined() {
                    slot.update(gradient, &self.config, rate, root);
                }
            }
        });
    }

    /// The moments by name, `mean.<parameter>` and `square.<parameter>`, as copies on the CPU.
    pub fn export(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for slot in &self.slots {
            state.insert(
                format!("mean.{}", slot.name),
                params::owned_copy(&slot.mean),
            );
            state.insert(
                format!("square.{}", slot.name),
                params::owned_copy(&slot.square),
            );
        }
        state
    }

    /// Takes up an exported state after `steps` steps. On an error nothing has changed.
    pub fn import(
        &mut self,
        state: &BTreeMap<String, Tensor>,
        steps: u64,
    ) -> Result<(), StateError> {
        self.check(state)?;
        for slot in &mut self.slots {
            let [mean, square] = slot.moment_names();
            params::overwrite(&slot.mean, &state[&mean]);
            params::overwrite(&slot.square, &state[&square]);
        }
        self.steps = steps;
        Ok(())
    }

    fn check(&self, state: &BTreeMap<String, Tensor>) -> Result<(), StateError> {
        let mut expected = BTreeMap::new();
        for slot in &self.slots {
            for name in slot.moment_names() {
                expected.insert(name, slot.param.size());
            }
        }
        for (name, size) in &expected {
            let found = state
                .get(name)
                .ok_or_else(|| StateError::Missing(name.clone()))?
                .size();
            if found != *size {
                return Err(StateError::Shape {
                    name: name.clone(),
                    found,
                    expected: size.clone(),
                });
            }
        }
        match state.keys().find(|name| !expected.contains_key(*name)) {
            Some(name) => Err(StateError::Unexpected(name.clone())),
            None => Ok(()),
        }
    }
}

impl Slot {
    fn moment_names(&self) -> [String; 2] {
        [
            format!("mean.{}", self.name),
            format!("square.{}", self.name),
        ]
    }

    /// In the order of `PyTorch`'s single-tensor Adam: `rate` = lr/(1-β₁ᵗ), `root` = √(1-β₂ᵗ).
    fn update(&mut self, gradient: &Tensor, config: &Config, rate: f64, root: f64) {
        let gradient = gradient.to_kind(Kind::Float);
        let _ = self.mean.lerp_(&gradient, 1.0 - config.beta1);
        let _ = self.square.g_mul_scalar_(config.beta2);
        let _ = self
            .square
            .addcmul_(&(&gradient * (1.0 - config.beta2)), &gradient);
        let denominator = (self.square.sqrt() / root).g_add_scalar_(config.eps);
        let _ = self.param.addcdiv_(&(&self.mean * -rate), &denominator);
    }
}
