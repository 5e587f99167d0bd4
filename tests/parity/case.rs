//! A case of the manifest, its tensors, and the quantities a run measures.
//! Unaware of models: `networks`, `trace` and `metrics` know how to run a case.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use pipeline_worker::nn::checkpoint;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// One case: what the manifest says of it.
pub struct Case {
    pub id: String,
    pub model: String,
    pub entry: Value,
    folder: PathBuf,
}

/// What came of a case.
pub enum Outcome {
    Ran(Vec<Quantity>),
    Failed(String),
    NotRun(String),
}

/// A measured error with what it may be.
pub struct Quantity {
    pub name: String,
    pub value: f64,
    pub tolerance: f64,
    /// Whether the case fails beyond the tolerance; printed for information otherwise.
    pub binding: bool,
}

/// Something made wrong on purpose, to show that a tolerance notices it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the parity run.
    None,
    /// `LeakyReLU` slope 0.06 for 0.05.
    Slope,
    /// Neither tiles nor the official overlap.
    Tiling,
    /// The first weight 1 % larger.
    Weight,
    /// α 1 % larger.
    Alpha,
    /// One mask missing.
    Mask,
    /// Learning rate 1 % larger.
    Rate,
    /// Adam's β₂ 0.99 for 0.999.
    Beta2,
    /// Y rounded to 8 bits.
    Luma,
    /// Another noise seed.
    Seed,
    /// The floating-point resize, rounded at the end, for the 8-bit one; a bicubic one for SAM's.
    Resize,
    /// Background points for foreground ones.
    Label,
    /// Relative-position tables read backwards.
    Backwards,
}

impl Change {
    /// All changes, each with the model it is made to.
    pub const ALL: &[(&str, Self)] = &[
        ("imdn", Self::Slope),
        ("imdn", Self::Weight),
        ("dncnn", Self::Weight),
        ("art", Self::Weight),
        ("cat", Self::Weight),
        ("art_official_test", Self::Tiling),
        ("spt_forward", Self::Slope),
        ("spt_forward", Self::Alpha),
        ("spt_forward", Self::Mask),
        ("spt_training_trace", Self::Slope),
        ("spt_training_trace", Self::Rate),
        ("spt_training_trace", Self::Beta2),
        ("metrics", Self::Luma),
        ("metrics", Self::Seed),
        ("metrics", Self::Resize),
        ("sam_image_encoder", Self::Weight),
        ("sam_rel_pos", Self::Backwards),
        ("sam_prompt_encoder", Self::Label),
        ("sam_mask_decoder", Self::Weight),
        ("sam_resize", Self::Resize),
        ("sam_mask_generator", Self::Weight),
    ];
}

/// The folder to read, and whether the environment chose it.
pub fn folder() -> (PathBuf, bool) {
    let golden = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    match std::env::var_os("PIPELINE_PARITY_DIR") {
        Some(folder) => (PathBuf::from(folder), true),
        None => (golden().canonicalize().unwrap_or_else(|_| golden()), false),
    }
}

/// Further golden numbers of this project, read with the default folder.
pub fn further() -> impl Iterator<Item = PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    ["golden_sam", "golden_dncnn"]
        .into_iter()
        .map(move |folder| tests.join(folder))
}

/// The device to compute on.
pub fn device() -> Device {
    match std::env::var("PIPELINE_PARITY_DEVICE").as_deref() {
        Ok("cuda") => {
            let loaded = pipeline_worker::nn::cuda::load();
            assert!(tch::Cuda::is_available(), "no CUDA here: {loaded:?}");
            Device::Cuda(0)
        }
        _ => Device::Cpu,
    }
}

/// All cases of the folder's manifest.
pub fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let path = folder.join("manifest.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let cases = manifest["cases"]
        .as_array()
        .ok_or("the manifest has no `cases`")?;
    cases.iter().map(|entry| Case::new(entry, folder)).collect()
}

impl Case {
    fn new(entry: &Value, folder: &Path) -> Result<Self, String> {
        let text = |key: &str| {
            entry[key]
                .as_str()
                .map(str::to_owned)
                .ok_or(format!("a case without `{key}`"))
        };
        Ok(Self {
            id: text("id")?,
            model: text("model")?,
            entry: entry.clone(),
            folder: folder.to_path_buf(),
        })
    }

    /// Part of the case's entry, typed: `/config/alpha`.
    pub fn get<T: DeserializeOwned>(&self, pointer: &str) -> Result<T, String> {
        let value = self.entry.pointer(pointer).ok_or(format!("no {pointer}"))?;
        serde_json::from_value(value.clone()).map_err(|error| format!("{pointer}: {error}"))
    }

    /// The same, with a value for where it is absent.
    pub fn get_or<T: DeserializeOwned>(&self, pointer: &str, absent: T) -> Result<T, String> {
        if self.entry.pointer(pointer).is_some() {
            self.get(pointer)
        } else {
            Ok(absent)
        }
    }

    /// The tensors of the case's own file, as stored.
    pub fn tensors(&self) -> Result<Tensors, String> {
        self.file(&self.get::<String>("/file")?)
    }

    /// The `param.*` tensors of all weights files, merged in order, without the prefix.
    pub fn params(&self) -> Result<Tensors, String> {
        let mut merged = Tensors::new();
        for file in self.get::<Vec<String>>("/weights")? {
            merged.extend(floats(&self.file(&file)?, "param."));
        }
        Ok(merged)
    }

    fn file(&self, name: &str) -> Result<Tensors, String> {
        let weights =
            checkpoint::open(&self.folder.join(name)).map_err(|error| error.to_string())?;
        weights
            .tensors_as_stored()
            .map_err(|error| error.to_string())
    }

    /// A quantity of the tolerance object.
    pub fn quantity(&self, name: &str, value: f64) -> Result<Quantity, String> {
        let tolerance = self.get(&format!("/tolerance/{name}"))?;
        Ok(Quantity {
            name: name.to_owned(),
            value,
            tolerance,
            binding: true,
        })
    }

    /// Whether all quantities hold and none of the tolerance object is missing.
    pub fn holds(&self, quantities: &[Quantity]) -> bool {
        quantities.iter().all(Quantity::holds) && self.unmeasured(quantities).is_empty()
    }

    /// The names of the tolerance object that no quantity has.
    pub fn unmeasured(&self, quantities: &[Quantity]) -> Vec<String> {
        let names = self.entry["tolerance"]
            .as_object()
            .into_iter()
            .flat_map(|tolerance| tolerance.keys());
        names
            .filter(|name| quantities.iter().all(|q| q.name != **name))
            .cloned()
            .collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parity {} {}", self.id, self.model)
    }
}

impl Quantity {
    /// A quantity that the manifest's tolerance object does not name, against a bound of ours.
    pub fn informative(name: &str, value: f64, tolerance: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            tolerance,
            binding: false,
        }
    }

    /// NaN never holds.
    pub fn holds(&self) -> bool {
        !self.binding || self.value <= self.tolerance
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.binding { '=' } else { '~' };
        write!(
            f,
            "{}{sign}{:.3e}/{:.3e}",
            self.name, self.value, self.tolerance
        )
    }
}

/// The tensors whose name starts with `prefix`, without it, as float32.
pub fn floats(tensors: &Tensors, prefix: &str) -> Tensors {
    let cut = |(name, t): (&String, &Tensor)| {
        Some((
            name.strip_prefix(prefix)?.to_owned(),
            t.to_kind(Kind::Float),
        ))
    };
    tensors.iter().filter_map(cut).collect()
}

/// A tensor by name.
pub fn tensor<'a>(tensors: &'a Tensors, name: &str) -> Result<&'a Tensor, String> {
    tensors.get(name).ok_or(format!("no tensor `{name}`"))
}

/// The largest absolute difference; infinite for different shapes, NaN where one is.
pub fn max_abs(ours: &Tensor, expected: &Tensor) -> f64 {
    if ours.size() != expected.size() {
        return f64::INFINITY;
    }
    let ours = ours.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    (ours - expected.to_kind(Kind::Double))
        .abs()
        .max()
        .double_value(&[])
}

/// The larger of two errors, where NaN is the largest.
pub fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}
