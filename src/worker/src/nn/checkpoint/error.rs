//! What can be wrong with a file of weights, each with a readable message and a hint.
//! Unaware of how files are read.

use std::fmt;
use std::path::PathBuf;

use files::Name;

use thiserror::Error;

/// A file of weights that cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("cannot access weights `{}`: {source}", Name(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no checkpoint, or a damaged one.
    #[error(
        "`{}` is not a usable checkpoint: {reason}\n  hint: expected a PyTorch .pth/.pt or a .safetensors file; \
         a truncated download also looks like this",
        Name(path)
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// The pickle names code that no file of weights needs. Nothing of a pickle is ever run.
    #[error(
        "`{}` wants to run `{}`, which no weights need; nothing was run\n  hint: do not trust this file, or save its \
         `state_dict()` alone where you do", Name(path), names.join("`, `")
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The global names, as module.name, sorted.
        names: Vec<String>,
    },
    /// Reading the pickle would take too much memory.
    #[error(
        "`{}` asks for too much: reading its pickle takes more than {most} bytes of memory\n  hint: if you trust it, \
         raise the limit: {}=pickle={}", Name(path), spec::Limits::VARIABLE, most.saturating_mul(4)
    )]
    Limit {
        /// The file.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// Two tensors have one name.
    #[error(
        "`{}` has `{}` twice, and which one is meant cannot be told\n  hint: save it again with one tensor of a name",
        Name(path), name.escape_debug()
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A tensor is stored in a form that is not read.
    #[error("`{}`: `{}` is {form}, which is not read\n  hint: {hint}", Name(path), name.escape_debug())]
    Form {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it is, with its article.
        form: String,
        /// What helps.
        hint: &'static str,
    },
    /// The file declares far more numbers than it can hold.
    #[error(
        "`{}` has {file} bytes and declares tensors of {declared} bytes",
        Name(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes all tensors would take.
        declared: u128,
        /// Bytes of the file.
        file: u64,
    },
    /// A weight is NaN or infinite.
    #[error(
        "`{}` holds NaN or infinite values in `{name}`\n  hint: the run that wrote it diverged",
        Name(path)
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first such parameter, in name order.
        name: String,
    },
    /// A parameter is stored as another type than a floating-point one.
    #[error(
        "`{}` stores `{name}` as {kind}, not as floating-point numbers",
        Name(path)
    )]
    NotFloat {
        /// The file.
        path: PathBuf,
        /// The parameter.
        name: String,
        /// Its stored type.
        kind: String,
    },
    /// Several copies of the network are in the file.
    #[error(
        "`{}` holds several networks that fit: behind `{}`\n  hint: `entry: {}` chooses", Name(path),
        trimmed(prefixes).join("`, `"), trimmed(prefixes).first().copied().unwrap_or_default()
    )]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// What stands before the names of each.
        prefixes: Vec<String>,
    },
    /// The entry that was chosen is not in the file.
    #[error(
        "`{}` has no tensors in an entry `{entry}`\n  hint: {}",
        Name(path),
        there_is(entries)
    )]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        entry: String,
        /// The outermost entries that are there.
        entries: Vec<String>,
    },
    /// Names or shapes differ from the model's.
    #[error("`{}` does not fit the model: {mismatch}", Name(path))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All differences.
        mismatch: Box<Mismatch>,
    },
}

fn trimmed(prefixes: &[String]) -> Vec<&str> {
    prefixes.iter().map(|p| p.trim_end_matches('.')).collect()
}

fn there_is(entries: &[String]) -> String {
    if entries.is_empty() {
        "its tensors are in no entry: leave `entry` out".to_owned()
    } else {
        format!("it has `{}`", entries.join("`, `"))
    }
}

/// How the names and shapes of a file differ from those of a model. All lists are sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Parameters of the model that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the model has no place for.
    pub unexpected: Vec<String>,
    /// Name, shape in the file, shape in the model.
    pub misshapen: Vec<(String, Vec<i64>, Vec<i64>)>,
    /// Where in the file the names are.
    pub place: Box<Whereabouts>,
    /// What the file seems to be, where that can be told.
    pub guess: Option<String>,
}

/// Where in a file the names are that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// What was taken off before all names.
    pub prefix: String,
    /// Where the network's names are, if that is behind more than one prefix.
    pub scattered: Option<String>,
}

impl Mismatch {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self
            .misshapen
            .iter()
            .map(|(name, found, want)| format!("{name} is {found:?}, not {want:?}"));
        write_list(f, "missing", &self.missing)?;
        write_list(f, "unexpected", &self.unexpected)?;
        write_list(f, "misshapen", &shapes.collect::<Vec<_>>())?;
        if let Some(scattered) = &self.place.scattered {
            return write!(
                f,
                "\n  the network's names are not all in one place: {scattered}\n  hint: a prefix must stand before all \
                 of them or before none"
            );
        }
        if !self.place.prefix.is_empty() {
            write!(f, "\n  names are those behind `{}`", self.place.prefix)?;
        }
        match &self.guess {
            Some(guess) => write!(f, "\n  hint: this looks like {guess}"),
            None => Ok(()),
        }
    }
}

/// Names listed before the rest is counted.
const LISTED: usize = 10;

fn write_list(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    write!(
        f,
        "\n  {} {what}: {}",
        names.len(),
        names[..names.len().min(LISTED)].join(", ")
    )?;
    match names.len().saturating_sub(LISTED) {
        0 => Ok(()),
        rest => write!(f, " and {rest} more"),
    }
}
