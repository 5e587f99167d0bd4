//! `metrics.csv` of an `evaluate` stage: a row for each image, a column for each metric.
//! Unaware of how they are measured.

use std::collections::BTreeMap;
use std::path::Path;

use pixels::score;

use crate::table::Table;
use crate::{ArtifactError, Result};

/// The file's name.
pub const FILE: &str = "metrics.csv";

/// The column of images.
const IMAGE: &str = "image";

/// `metrics.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The images' names.
    pub images: Vec<String>,
    /// Values in the order of `images`, by metric; a metric that was not asked for is not there. Infinite and undefined
    /// ones (NaN) are as they were measured: `pixels::score` says what they count.
    pub values: BTreeMap<String, Vec<f64>>,
}

impl Metrics {
    /// Reads that of the `evaluate` stage with this folder.
    ///
    /// # Errors
    /// The file cannot be read, holds something else, or no image.
    pub fn read(folder: &Path) -> Result<Self> {
        let table = Table::read(&folder.join(FILE), IMAGE)?;
        let mut metrics = Self::default();
        for row in &table.rows {
            metrics.images.push(row[0].to_owned());
            for (column, name) in table.columns() {
                let value = score::parse(&row[column]);
                let value = value.ok_or_else(|| table.not_a_number(&row[column]))?;
                let values = metrics.values.entry(name.to_owned()).or_default();
                values.push(value);
            }
        }
        if metrics.images.is_empty() {
            return Err(table.wrong("there is no image in it"));
        }
        Ok(metrics)
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let failed = |e: csv::Error| ArtifactError::write(&path, e.into());
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = std::iter::once(IMAGE).chain(self.values.keys().map(String::as_str));
        writer.write_record(header).map_err(failed)?;
        for (at, image) in self.images.iter().enumerate() {
            let texts = self.values.values().map(|values| score::text(values[at]));
            let row = std::iter::once(image.clone()).chain(texts);
            writer.write_record(row).map_err(failed)?;
        }
        let bytes = writer.into_inner();
        let bytes = bytes.map_err(|e| ArtifactError::write(&path, e.into_error()))?;
        std::fs::write(&path, bytes).map_err(|e| ArtifactError::write(&path, e))
    }

    /// What each image counts of a metric; nothing for images on which it is undefined.
    pub fn counted(&self, metric: &str) -> Option<impl Iterator<Item = f64>> {
        let values = self.values.get(metric)?.iter();
        Some(values.filter_map(|value| score::counted(metric, *value)))
    }

    /// The mean of each metric that has one.
    pub fn means(&self) -> BTreeMap<String, f64> {
        let mean = |(name, values): (&String, &Vec<f64>)| {
            let mean = score::mean(name, values.iter().copied())?;
            Some((name.clone(), mean))
        };
        self.values.iter().filter_map(mean).collect()
    }

    /// The values of a metric by image; nothing for images on which it is undefined.
    pub fn by_image(&self, metric: &str) -> BTreeMap<String, f64> {
        let values = self.values.get(metric).into_iter().flatten();
        let both = self.images.iter().cloned().zip(values.copied());
        both.filter(|(_, value)| !value.is_nan()).collect()
    }
}
