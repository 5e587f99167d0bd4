//! An exported model: one safetensors file whose header says what it is, so that it can be used without the pipeline that
//! made it. Unaware of libtorch: tensors are bytes with a name, a type and a shape.
//!
//! ```text
//!   weights.safetensors of a stage ── open ── tensors by name ── write, some of them ── model.safetensors
//!                                                Exported, as JSON ── __metadata__.pipeline ──┘
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use spec::kinds::Degrade;

use crate::bounds;
use crate::error::{ArtifactError, Result};
use crate::mask_source::MaskSource;
use crate::model::ModelCard;

/// The version of [`Exported`]; a program refuses any other.
pub const EXPORT_FORMAT: u32 = 1;

/// Stands before the names of the tensors of SPT units, whose backbone keeps the official names.
pub const SPT: &str = "spt.";

/// The largest header that is read, bytes.
const MAX_HEADER: u64 = 16 << 20;

/// What an exported model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// [`EXPORT_FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it.
    pub version: String,
    /// The stage that it comes from.
    pub stage: String,
    /// Its key.
    pub key: String,
    /// What of the network is in the file.
    pub contents: Contents,
    /// The network, and how it was trained last.
    pub model: ModelCard,
    /// What the images were that it restores.
    pub degrade: Degrade,
    /// Digest over the backbone's tensors, where there are SPT units: these fit no other weights.
    pub base: Option<String>,
    /// Who makes the masks that the units read.
    pub masks: Option<MaskSource>,
    /// The lines of the stage's manifest that are its configuration.
    pub config: BTreeMap<String, String>,
    /// Means of its evaluations that had a result, by stage.
    pub metrics: BTreeMap<String, Evaluated>,
}

/// What of a network is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// All of it.
    Whole,
    /// Its SPT units; the backbone's weights lie elsewhere.
    Units,
}

/// The means of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// The set of images.
    pub set: String,
    /// How many.
    pub images: usize,
    /// By metric.
    pub means: BTreeMap<String, f64>,
}

impl Exported {
    /// What the file at `path` is.
    ///
    /// # Errors
    /// It cannot be read, is no safetensors file, was not exported by this program, or by one of another format, or a number
    /// of its header is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |why: String| ArtifactError::content(path, &why);
        let header = Tensors::open(path)?.metadata;
        let text = header.and_then(|m| m.get("pipeline")?.as_str().map(str::to_owned));
        let none = || wrong("it is no model that `pipeline export --to` wrote".into());
        let value: Value = serde_json::from_str(&text.ok_or_else(none)?).map_err(|_| none())?;
        let format = value.get("format").and_then(Value::as_u64);
        match format {
            None => return Err(none()),
            Some(format) if format != u64::from(EXPORT_FORMAT) => {
                let why = format!("its format is {format}, this program reads {EXPORT_FORMAT}");
                return Err(wrong(why));
            }
            Some(_) => {}
        }
        let header: Self = serde_json::from_value(value).map_err(|e| wrong(files::reason(&e)))?;
        match bounds::wrong(&header.model, header.masks.as_ref()) {
            Some(why) => Err(wrong(format!("its header: {why}"))),
            None => Ok(header),
        }
    }

    /// Writes the tensors of `from` that belong to it, by name, to `path`; the same bytes for the same input.
    ///
    /// # Errors
    /// A file cannot be read or written, or has no such tensor.
    pub fn write(&self, from: &Tensors, path: &Path) -> Result<()> {
        let is_unit = |name: &str| name.starts_with(SPT);
        let is_wanted = |name: &str| self.contents == Contents::Whole || is_unit(name);
        let text = serde_json::to_string(self).map_err(|e| ArtifactError::write(path, e.into()))?;
        let metadata = json!({"format": "pt", "pipeline": text});
        from.copy_some(&is_wanted, metadata, path)
    }
}

/// The tensors of a safetensors file, by name.
#[derive(Debug)]
pub struct Tensors {
    path: PathBuf,
    places: BTreeMap<String, Place>,
    /// Where the numbers begin.
    begin: u64,
    metadata: Option<Map<String, Value>>,
}

/// A tensor of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Tensors {
    /// Reads the header of a file.
    ///
    /// # Errors
    /// It cannot be read, or is no safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |why: &str| ArtifactError::content(path, &why);
        let not = "it is no safetensors file";
        let cannot = |e| ArtifactError::read(path, e);
        let mut file = files::open(path).map_err(cannot)?;
        let size = file.metadata().map_err(cannot)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| wrong(not))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length + 8 > size {
            return Err(wrong(not));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(cannot)?;
        let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| wrong(not))?;
        let begin = 8 + length;
        let mut metadata = None;
        let mut places = BTreeMap::new();
        for (name, value) in header {
            if name == "__metadata__" {
                metadata = value.as_object().cloned();
                continue;
            }
            let place: Place = serde_json::from_value(value).map_err(|_| wrong(not))?;
            let [from, to] = place.data_offsets;
            if from > to || to > size - begin {
                return Err(wrong(&format!("`{name}` lies outside of it")));
            }
            places.insert(name, place);
        }
        Ok(Self {
            path: path.to_owned(),
            places,
            begin,
            metadata,
        })
    }

    /// The names, shapes and bytes of all tensors, in the order of their names.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn each(&self, mut of: impl FnMut(&str, &[u64], &[u8])) -> Result<()> {
        let mut file = files::open(&self.path).map_err(|e| ArtifactError::read(&self.path, e))?;
        for (name, place) in &self.places {
            let bytes = self.bytes(&mut file, place)?;
            of(name, &place.shape, &bytes);
        }
        Ok(())
    }

    fn bytes(&self, file: &mut File, place: &Place) -> Result<Vec<u8>> {
        let [from, to] = place.data_offsets;
        let mut bytes = vec![0; (to - from) as usize];
        let read = file
            .seek(SeekFrom::Start(self.begin + from))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| ArtifactError::read(&self.path, e))?;
        Ok(bytes)
    }

    /// A file of those tensors that `is_wanted` names.
    fn copy_some(
        &self,
        is_wanted: &dyn Fn(&str) -> bool,
        metadata: Value,
        path: &Path,
    ) -> Result<()> {
        let wanted: Vec<(&String, &Place)> = self
            .places
            .iter()
            .filter(|(name, _)| is_wanted(name))
            .collect();
        let mut header = Map::new();
        header.insert("__metadata__".into(), metadata);
        let mut at = 0;
        for (name, place) in &wanted {
            let [from, to] = place.data_offsets;
            let data_offsets = [at, at + to - from];
            at = data_offsets[1];
            let place = Place {
                data_offsets,
                ..(*place).clone()
            };
            header.insert((*name).clone(), json!(place));
        }
        let cannot = |e: io::Error| ArtifactError::write(path, e);
        let mut text = serde_json::to_vec(&header).map_err(|e| cannot(e.into()))?;
        text.resize(text.len().next_multiple_of(8), b' '); // numbers begin at a multiple of eight
        let mut out = BufWriter::new(File::create(path).map_err(cannot)?);
        let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(cannot);
        put(&(text.len() as u64).to_le_bytes())?;
        put(&text)?;
        let mut file = files::open(&self.path).map_err(|e| ArtifactError::read(&self.path, e))?;
        for (_, place) in wanted {
            put(&self.bytes(&mut file, place)?)?;
        }
        out.flush().map_err(cannot)
    }
}
