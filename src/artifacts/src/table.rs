//! CSV files of stages: columns by name.
//! Unaware of what is in them.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::{ArtifactError, Result};

/// A longer file is none of a stage's.
const MOST: u64 = 1 << 30;

/// A CSV file in memory.
pub(crate) struct Table {
    path: PathBuf,
    header: StringRecord,
    /// The rows, each as long as the header.
    pub rows: Vec<StringRecord>,
}

impl Table {
    /// `first` is what the first column is called: another file is none of this kind.
    pub fn read(path: &Path, first: &str) -> Result<Self> {
        let bytes = files::read(path, MOST).map_err(|e| ArtifactError::read(path, e))?;
        let wrong = |e: csv::Error| ArtifactError::content(path, &e);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().map_err(wrong)?.clone();
        if header.get(0) != Some(first) {
            let why = format!("its first column should be `{first}`");
            return Err(ArtifactError::content(path, &why));
        }
        let rows = reader.records().collect::<std::result::Result<_, _>>();
        Ok(Self {
            path: path.to_owned(),
            header,
            rows: rows.map_err(wrong)?,
        })
    }

    /// The names of the columns behind the first, with their numbers.
    pub fn columns(&self) -> impl Iterator<Item = (usize, &str)> {
        self.header.iter().enumerate().skip(1)
    }

    /// The number of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// A text that should have been a number.
    pub fn not_a_number(&self, text: &str) -> ArtifactError {
        ArtifactError::content(&self.path, &format!("`{text}` is not a number"))
    }

    /// Something else that is wrong.
    pub fn wrong(&self, why: &str) -> ArtifactError {
        ArtifactError::content(&self.path, &why)
    }
}
