//! Reads the journals of runs.
//! Unaware of how they are shown.

use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use super::folder;
use super::record::{End, FORMAT, Header, Keys, Line, StageLine, UNSEALED};

/// The largest journal, or file of keys, that is read: a million stages take a third of it.
const MAX_JOURNAL: u64 = 1 << 30;

/// All runs of a cache.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    /// Names, oldest first.
    ids: Vec<String>,
}

/// A run, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// How it began.
    pub header: Header,
    /// The stages that ended.
    pub stages: Vec<StageLine>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// Whether it goes on.
    pub status: RunStatus,
    /// Lines that are damaged and left out.
    pub damaged: usize,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// It ended with this exit code.
    Ended(u8),
    /// It was killed, or the power failed.
    Killed,
}

/// Why a run cannot be told of.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No run has this name.
    #[error("there is no run `{0}`")]
    Unknown(String),
    /// Several runs begin so.
    #[error("`{name}` may be {}", candidates.join(", "))]
    Ambiguous {
        /// What was typed.
        name: String,
        /// The runs.
        candidates: Vec<String>,
    },
    /// The journal cannot be read.
    #[error("the journal `{}` cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl History {
    /// The runs of this cache; none where there is no cache.
    pub fn open(cache: &Path) -> Self {
        let folder = folder(cache);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok());
        let ids = names.filter_map(|n| n.strip_suffix(".jsonl").map(str::to_owned));
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        Self { folder, ids }
    }

    /// Names of runs, oldest first.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The name of the run that `text` means: `last`, `last~2`, a name or its beginning.
    pub fn find(&self, text: &str) -> Result<&str, HistoryError> {
        let unknown = || HistoryError::Unknown(text.to_owned());
        if let Some(rest) = text.strip_prefix("last") {
            let back = match rest.strip_prefix('~') {
                Some(number) => number.parse().map_err(|_| unknown())?,
                None if rest.is_empty() => 0,
                None => return Err(unknown()),
            };
            let newest = self.ids.iter().rev();
            return newest.map(String::as_str).nth(back).ok_or_else(unknown);
        }
        let fits: Vec<&String> = self.ids.iter().filter(|id| id.starts_with(text)).collect();
        match fits.as_slice() {
            [] => Err(unknown()),
            [one] => Ok(one),
            several => Err(HistoryError::Ambiguous {
                name: text.to_owned(),
                candidates: several.iter().take(5).map(|s| (*s).clone()).collect(),
            }),
        }
    }

    /// A run. Lines that cannot be read count as not written, and are counted, but for the torn last one of a run that
    /// was killed.
    pub fn read(&self, id: &str) -> Result<Past, HistoryError> {
        let path = self.folder.join(format!("{id}.jsonl"));
        let wrong = |why: String| HistoryError::Unreadable {
            path: path.clone(),
            why,
        };
        let bytes = files::read(&path, MAX_JOURNAL).map_err(|e| wrong(e.to_string()))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split_inclusive('\n');
        let header = lines.next().and_then(Line::decode);
        let Some((Line::Run(header), is_sealed)) = header else {
            return Err(wrong("its first line is damaged".into()));
        };
        match (header.format, is_sealed) {
            (FORMAT, true) | (UNSEALED, false) => {}
            (FORMAT | UNSEALED, _) => return Err(wrong("its first line is damaged".into())),
            (found, _) => {
                return Err(wrong(format!(
                    "it has format {found}, this program reads {FORMAT}"
                )));
            }
        }
        let (mut stages, mut end, mut damaged) = (Vec::new(), None, 0);
        for line in lines {
            match Line::decode(line).filter(|(_, sealed)| *sealed == is_sealed) {
                Some((Line::Stage(stage), _)) => stages.push(stage),
                Some((Line::End(last), _)) => end = Some(last),
                Some((Line::Run(_), _)) => damaged += 1,
                None => damaged += usize::from(line.ends_with('\n')),
            }
        }
        let status = match &end {
            Some(end) => RunStatus::Ended(end.exit),
            None if self.is_alive(id) => RunStatus::Running,
            None => RunStatus::Killed,
        };
        Ok(Past {
            header: *header,
            stages,
            end,
            status,
            damaged,
        })
    }

    fn is_alive(&self, id: &str) -> bool {
        let lock = files::open(&self.folder.join(format!("{id}.lock")));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The keys of a run's stages; none if they are lost or damaged: the file's name is their digest.
    pub fn keys(&self, past: &Past) -> Keys {
        let path = self.folder.join("keys").join(&past.header.keys);
        let bytes = files::read(&path, MAX_JOURNAL).unwrap_or_default();
        if super::journal::name_of(&bytes) != past.header.keys {
            return Keys::new();
        }
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The newest run that can be read.
    pub fn last(&self) -> Option<Past> {
        self.ids.iter().rev().find_map(|id| self.read(id).ok())
    }
}
