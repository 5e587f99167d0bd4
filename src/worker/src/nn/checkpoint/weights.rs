//! A file of weights as named tensors that are not read yet, and the strict way from there into a model.
//! Unaware of file formats (`pth`, `safe`) and of models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use files::Data;
use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::entry::{Entry, Shapes, shapes};
use super::error::{CheckpointError, Mismatch};
use super::network::{self, Lost, Place, Wanted};
use super::{guess, pth, safe};
use crate::nn::{host, params};

/// An opened file of weights.
pub struct Weights {
    path: PathBuf,
    /// What was taken off before all names.
    prefix: String,
    /// Names of code in its pickle that no weights need.
    pub(super) unused: Vec<String>,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// Opens `path`, of either format, by its content. Reads names, types and shapes; runs nothing.
///
/// Names are those of the file: [`Weights::network`] takes off what stands before a network's own.
pub fn open(path: &Path) -> Result<Weights, CheckpointError> {
    loadable(look(path)?, path)
}

/// As [`open`], of a file that is open or in memory already; `path` is for messages.
pub fn read(data: Data, path: &Path) -> Result<Weights, CheckpointError> {
    loadable(look_at(data, path)?, path)
}

fn loadable((weights, origin): (Weights, Origin), path: &Path) -> Result<Weights, CheckpointError> {
    if !origin.foreign.is_empty() {
        return Err(CheckpointError::Foreign {
            path: path.to_path_buf(),
            names: origin.foreign,
        });
    }
    if weights.entries.is_empty() {
        return Err(CheckpointError::Unreadable {
            path: path.to_path_buf(),
            reason: "it holds no tensors".to_owned(),
        });
    }
    Ok(weights)
}

/// What a file says of itself beside its tensors.
pub(super) struct Origin {
    pub container: &'static str,
    /// Names of code among its values, which no weights need.
    pub foreign: Vec<String>,
}

/// As [`open`], for a file that nobody loads: names of code are listed and not refused.
pub(super) fn look(path: &Path) -> Result<(Weights, Origin), CheckpointError> {
    let file = files::open(path).map_err(|source| CheckpointError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    look_at(file.into(), path)
}

fn look_at(data: Data, path: &Path) -> Result<(Weights, Origin), CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_path_buf(),
        source,
    };
    let length = data.length().map_err(io)?;
    let mut start = [0; 9];
    let read = data.read_at(&mut start, 0).map_err(io)?;
    let (entries, unused, container, foreign) = if safe::looks_like(&start[..read]) {
        let entries = safe::entries(data, path)?;
        (entries, Vec::new(), "safetensors", Vec::new())
    } else {
        let it = pth::read(data, path)?;
        (
            pth::entries(it.tensors),
            it.unused,
            it.container.name(),
            it.foreign,
        )
    };
    let declared = entries
        .values()
        .fold(0_u128, |sum, entry| sum.saturating_add(entry.bytes()));
    if declared > u128::from(length) * MAX_EXPANSION + MAX_REPEATED {
        return Err(CheckpointError::TooLarge {
            path: path.to_path_buf(),
            declared,
            file: length,
        });
    }
    let weights = Weights {
        path: path.to_path_buf(),
        prefix: String::new(),
        unused,
        entries,
    };
    Ok((weights, Origin { container, foreign }))
}

/// Most bytes of tensors for each byte of file. `PyTorch` stores numbers once and uncompressed; tied weights count twice.
const MAX_EXPANSION: u128 = 4;
/// More bytes for tensors that repeat a few numbers (`expand`), or that are compressed in a small file.
const MAX_REPEATED: u128 = 64 << 20;

/// Names of code that a note lists.
const NAMED: usize = 8;

/// Fills all parameters of `store` from the file at `path`, strictly by name and shape, wherever in it they stand.
pub fn load_into(path: &Path, store: &VarStore) -> Result<(), CheckpointError> {
    let wanted = Wanted {
        shapes: shapes(store),
        rename: &str::to_owned,
        ignored: &|_| false,
        entry: None,
    };
    let (network, _) = open(path)?.network(&wanted)?;
    network.fill(store)
}

impl Weights {
    /// The names in the file, sorted, after unwrapping.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What a person should know of the file, wherever in it the network stands.
    pub fn note(&self) -> Option<String> {
        let mut shown: Vec<String> = self
            .unused
            .iter()
            .map(|n| n.escape_debug().to_string())
            .collect();
        let rest = shown.len().saturating_sub(NAMED);
        shown.truncate(NAMED);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        (!shown.is_empty()).then(|| {
            let names = shown.join("`, `");
            format!("its pickle names `{names}`{more}, which no weights need; nothing was run")
        })
    }

    /// The tensors of one network by its own names, without what is stored and not loaded, and where they stood.
    pub fn network(mut self, wanted: &Wanted<'_>) -> Result<(Self, Place), CheckpointError> {
        let found = self.shapes();
        let place =
            network::find(&found, wanted).map_err(|lost| self.lost(&found, wanted, lost))?;
        let entries = std::mem::take(&mut self.entries).into_iter();
        self.entries = entries
            .filter_map(|(name, entry)| Some((own_name(&name, &place.prefix, wanted)?, entry)))
            .collect();
        self.prefix.clone_from(&place.prefix);
        Ok((self, place))
    }

    fn lost(&self, found: &Shapes, wanted: &Wanted<'_>, lost: Lost) -> CheckpointError {
        let path = self.path.clone();
        match lost {
            Lost::Ambiguous { prefixes } => CheckpointError::Ambiguous { path, prefixes },
            Lost::NoEntry { entries } => CheckpointError::NoEntry {
                path,
                entry: wanted.entry.unwrap_or_default().to_owned(),
                entries,
            },
            Lost::Incomplete { prefix, scattered } => {
                let own = |(name, shape): (&String, &Vec<i64>)| {
                    Some((own_name(name, &prefix, wanted)?, shape.clone()))
                };
                let mut mismatch = compare(&found.iter().filter_map(own).collect(), &wanted.shapes);
                mismatch.place.scattered = scattered;
                mismatch.place.prefix = prefix;
                CheckpointError::Mismatch {
                    path,
                    mismatch: Box::new(mismatch),
                }
            }
        }
    }

    /// The names and shapes of the file.
    pub fn shapes(&self) -> Shapes {
        let entries = self.entries.iter();
        entries.map(|(n, e)| (n.clone(), e.size.clone())).collect()
    }

    /// Fills all parameters of `store`, strictly: every name on both sides, equal shapes, finite numbers.
    ///
    /// Shapes are compared before any number is read. On an error the store may be filled in part.
    pub fn fill(&self, store: &VarStore) -> Result<(), CheckpointError> {
        let params = params::named(store);
        self.check(&params)?;
        for (name, param) in &params {
            params::overwrite(param, &self.float(name, &self.entries[name])?);
        }
        Ok(())
    }

    /// All tensors as float32 on the CPU; finite numbers only.
    pub fn tensors(&self) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
        self.entries
            .iter()
            .map(|(name, entry)| Ok((name.clone(), self.float(name, entry)?)))
            .collect()
    }

    /// All tensors in the type they are stored in, on the CPU, whatever their values: optimiser and loop states.
    pub fn tensors_as_stored(&self) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
        self.entries
            .iter()
            .map(|(name, entry)| Ok((name.clone(), self.stored(name, entry)?)))
            .collect()
    }

    fn check(&self, params: &BTreeMap<String, Tensor>) -> Result<(), CheckpointError> {
        let expected = params
            .iter()
            .map(|(name, param)| (name.clone(), param.size()))
            .collect();
        let mut mismatch = compare(&self.shapes(), &expected);
        if mismatch.is_empty() {
            return Ok(());
        }
        mismatch.place.prefix.clone_from(&self.prefix);
        Err(CheckpointError::Mismatch {
            path: self.path.clone(),
            mismatch: Box::new(mismatch),
        })
    }

    fn float(&self, name: &str, entry: &Entry) -> Result<Tensor, CheckpointError> {
        let (path, name) = (self.path.clone(), name.to_owned());
        if !matches!(
            entry.kind,
            Some(Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double)
        ) {
            return Err(CheckpointError::NotFloat {
                path,
                name,
                kind: entry.stored_as.clone(),
            });
        }
        let values = self.stored(&name, entry)?.to_kind(Kind::Float);
        if host::all_finite(&values) {
            return Ok(values);
        }
        Err(CheckpointError::NotFinite { path, name })
    }

    fn stored(&self, name: &str, entry: &Entry) -> Result<Tensor, CheckpointError> {
        let unreadable = |reason| CheckpointError::Unreadable {
            path: self.path.clone(),
            reason,
        };
        let kind = entry
            .kind
            .ok_or_else(|| unreadable(format!("`{name}` is stored as {}", entry.stored_as)))?;
        let bytes = (entry.read)().map_err(|error| unreadable(error.to_string()))?;
        Tensor::f_from_data_size(&bytes, &entry.size, kind)
            .map_err(|error| unreadable(error.to_string()))
    }
}

/// Fills all parameters of `store` from tensors in memory, as strictly as from a file. On an error nothing has changed.
pub fn assign(store: &VarStore, tensors: &BTreeMap<String, Tensor>) -> Result<(), Mismatch> {
    let params = params::named(store);
    let shapes = |of: &BTreeMap<String, Tensor>| {
        of.iter()
            .map(|(name, t)| (name.clone(), t.size()))
            .collect()
    };
    let mismatch = compare(&shapes(tensors), &shapes(&params));
    if !mismatch.is_empty() {
        return Err(mismatch);
    }
    for (name, param) in &params {
        params::overwrite(param, &tensors[name]);
    }
    Ok(())
}

fn compare(found: &Shapes, expected: &Shapes) -> Mismatch {
    let lacking = |of: &Shapes, names: &Shapes| {
        names
            .keys()
            .filter(|name| !of.contains_key(*name))
            .cloned()
            .collect()
    };
    let misshapen = expected.iter().filter_map(|(name, want)| {
        found
            .get(name)
            .filter(|size| *size != want)
            .map(|size| (name.clone(), size.clone(), want.clone()))
    });
    let mut mismatch = Mismatch {
        missing: lacking(found, expected),
        unexpected: lacking(expected, found),
        misshapen: misshapen.collect(),
        ..Mismatch::default()
    };
    if !mismatch.is_empty() {
        mismatch.guess = guess::recognise(found).map(|it| it.text());
    }
    mismatch
}

/// The network's own name for a tensor of a file that is behind `prefix` and loaded.
fn own_name(name: &str, prefix: &str, wanted: &Wanted<'_>) -> Option<String> {
    let name = name.strip_prefix(prefix)?;
    (!(wanted.ignored)(name)).then(|| (wanted.rename)(name))
}
