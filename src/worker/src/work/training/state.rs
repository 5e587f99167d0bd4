//! Everything a training needs to go on as if it had never stopped, in one file that is replaced whole.
//! Unaware of data and losses.
//!
//! ```text
//!   save:   next.safetensors is written, on the disk; state ── renamed ──> before, next ── renamed ──> state
//!   resume: state.safetensors, else before.safetensors; one whose digest (`seal`) does not fit is left out, and that is said
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::seal;
use super::validation::Best;
use crate::nn::checkpoint;
use crate::nn::kernels::Kernels;
use crate::nn::{Adam, params};
use crate::work::WorkError;

/// What is trained and how far it is.
pub(super) struct State {
    /// The trainable parameters by name; the network's own tensors, not copies.
    pub trainable: BTreeMap<String, Tensor>,
    /// The optimiser.
    pub adam: Adam,
    /// Iterations done.
    pub iteration: u64,
    /// The best validation.
    pub best: Best,
    /// The trainable parameters at the best validation, where they are wanted.
    pub best_weights: Option<BTreeMap<String, Tensor>>,
    /// Lines of `steps.csv`.
    pub log: String,
    /// Seconds of training so far, in this process and those before it.
    pub seconds: f64,
    /// Those of them in which the step waited for data.
    pub waited: f64,
    /// Whether the training has converged.
    pub converged: bool,
    /// The choices of kernels that it was computed with on processors, each once, in their order.
    pub kernels: Vec<String>,
}

const PARAM: &str = "param.";
const ADAM: &str = "adam.";
const BEST: &str = "best.";

/// Between two choices of kernels.
const BETWEEN: &str = ";";

/// Where the last state lies.
fn path(folder: &Path) -> PathBuf {
    folder.join("state.safetensors")
}

/// Where the one before it lies.
fn before(folder: &Path) -> PathBuf {
    folder.join("before.safetensors")
}

/// The largest state that is read: no model of this program needs a tenth of it.
const MAX_BYTES: u64 = 64 << 30;

/// What was found of an earlier try.
pub(super) struct Found {
    /// Whether a state was taken up.
    pub resumed: bool,
    /// States that were left out, newest first, and why.
    pub damaged: Vec<(PathBuf, String)>,
}

impl State {
    /// Notes a choice of kernels, where it is a new one.
    pub fn computed_with(&mut self, choice: Option<Kernels>) {
        let choice = choice.map(|choice| choice.to_string());
        if let Some(new) = choice.filter(|choice| !self.kernels.contains(choice)) {
            self.kernels.push(new);
        }
    }

    /// Writes the state so that a crash leaves the old or the new one, and keeps the one before.
    pub fn save(&self, folder: &Path, key: &str) -> Result<(), WorkError> {
        let mut tensors = prefixed(PARAM, &self.trainable);
        tensors.extend(prefixed(ADAM, &self.adam.export()));
        if let Some(best) = &self.best_weights {
            tensors.extend(prefixed(BEST, best));
        }
        let path = path(folder);
        let failed = |e: std::io::Error| WorkError::io("write", &path, &e);
        let mut bytes =
            checkpoint::safetensors_bytes(&tensors, &self.facts(key)).map_err(failed)?;
        if !seal::close(&mut bytes) {
            return Err(failed(std::io::Error::other("no room for its digest")));
        }
        let next = folder.join("next.safetensors");
        store::write_atomic(&next, &bytes)?;
        // A kill between the two leaves the one before, which is as good.
        match std::fs::rename(&path, before(folder)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        std::fs::rename(&next, &path).map_err(failed)
    }

    /// Numbers are kept by their bits: a decimal that is read back can differ in the last one.
    fn facts(&self, key: &str) -> BTreeMap<String, String> {
        let bits = |value: f64| format!("{:016x}", value.to_bits());
        BTreeMap::from([
            (seal::FACT.into(), seal::OPEN.into()),
            ("key".into(), key.to_owned()),
            ("iteration".into(), self.iteration.to_string()),
            ("adam_steps".into(), self.adam.steps().to_string()),
            ("best_psnr".into(), bits(self.best.psnr)),
            ("best_iteration".into(), self.best.iteration.to_string()),
            ("best_reference".into(), bits(self.best.reference)),
            (
                "best_without_gain".into(),
                self.best.without_gain.to_string(),
            ),
            ("has_best".into(), self.best_weights.is_some().to_string()),
            ("seconds".into(), bits(self.seconds)),
            ("waited".into(), bits(self.waited)),
            ("converged".into(), self.converged.to_string()),
            ("kernels".into(), self.kernels.join(BETWEEN)),
            ("log".into(), self.log.clone()),
        ])
    }

    /// Takes the newest whole state of this key up, if there is one. A damaged one costs time and nothing else.
    pub fn resume(&mut self, folder: &Path, key: &str) -> Found {
        let mut damaged = Vec::new();
        for path in [path(folder), before(folder)] {
            match self.take_file(&path, key) {
                Ok(false) => {}
                Ok(true) => {
                    let resumed = true;
                    return Found { resumed, damaged };
                }
                Err(why) => damaged.push((path, why)),
            }
        }
        Found {
            resumed: false,
            damaged,
        }
    }

    /// `Ok(false)` when there is none, or none of this key.
    fn take_file(&mut self, path: &Path, key: &str) -> Result<bool, String> {
        if std::fs::symlink_metadata(path).is_err() {
            return Ok(false);
        }
        let saved = Saved::read(path)?;
        if saved.fact("key")? != key {
            return Ok(false);
        }
        self.take(&saved).map(|()| true)
    }

    /// Everything is read before anything is changed.
    fn take(&mut self, saved: &Saved) -> Result<(), String> {
        let number = |name: &str| {
            saved
                .fact(name)?
                .parse::<u64>()
                .map_err(|e| format!("{name}: {e}"))
        };
        let real = |name: &str| {
            let bits =
                u64::from_str_radix(saved.fact(name)?, 16).map_err(|e| format!("{name}: {e}"))?;
            Ok::<f64, String>(f64::from_bits(bits))
        };
        // Earlier programs did not count it.
        let waited = real("waited").unwrap_or_default();
        let best = Best {
            psnr: real("best_psnr")?,
            iteration: number("best_iteration")?,
            reference: real("best_reference")?,
            without_gain: number("best_without_gain")?,
        };
        let (iteration, steps, seconds) = (
            number("iteration")?,
            number("adam_steps")?,
            real("seconds")?,
        );
        let (params, moments) = (saved.part(PARAM), saved.part(ADAM));
        self.check(&params)?;
        self.adam
            .import(&moments, steps)
            .map_err(|e| e.to_string())?;
        for (name, param) in &self.trainable {
            params::overwrite(param, &params[name]);
        }
        self.best_weights = (saved.fact("has_best")? == "true").then(|| saved.part(BEST));
        self.converged = saved.fact("converged")? == "true";
        saved.fact("log")?.clone_into(&mut self.log);
        // Earlier programs did not say.
        let kernels = saved.fact("kernels").unwrap_or_default();
        let kernels = kernels.split(BETWEEN).filter(|choice| !choice.is_empty());
        self.kernels = kernels.map(str::to_owned).collect();
        (self.iteration, self.best) = (iteration, best);
        (self.seconds, self.waited) = (seconds, waited);
        Ok(())
    }

    fn check(&self, saved: &BTreeMap<String, Tensor>) -> Result<(), String> {
        let shapes = |of: &BTreeMap<String, Tensor>| -> Vec<(String, Vec<i64>)> {
            of.iter().map(|(n, t)| (n.clone(), t.size())).collect()
        };
        if shapes(saved) == shapes(&self.trainable) {
            Ok(())
        } else {
            Err("it holds other parameters".into())
        }
    }
}

fn prefixed(prefix: &str, tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    tensors
        .iter()
        .map(|(name, t)| (format!("{prefix}{name}"), t.shallow_clone()))
        .collect()
}

/// A state file, read.
struct Saved {
    tensors: BTreeMap<String, Tensor>,
    facts: BTreeMap<String, String>,
}

impl Saved {
    fn read(path: &Path) -> Result<Self, String> {
        let bytes = ::files::read(path, MAX_BYTES).map_err(|e| e.to_string())?;
        let facts = metadata(&bytes);
        let bytes = seal::check(bytes)?;
        let tensors =
            checkpoint::read(bytes.into(), path).and_then(|file| file.tensors_as_stored());
        Ok(Self {
            tensors: tensors.map_err(|e| e.to_string())?,
            facts: facts.ok_or("its header has no facts")?,
        })
    }

    fn fact(&self, name: &str) -> Result<&str, String> {
        self.facts
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| format!("it lacks `{name}`"))
    }

    fn part(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let named = self
            .tensors
            .iter()
            .filter_map(|(n, t)| Some((n.strip_prefix(prefix)?, t)));
        named
            .map(|(n, t)| (n.to_owned(), t.shallow_clone()))
            .collect()
    }
}

/// What `checkpoint::safetensors_bytes` was given as metadata.
fn metadata(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).ok()?;
    let text = header.metadata().as_ref()?.get("pipeline")?;
    serde_json::from_str(text).ok()
}
