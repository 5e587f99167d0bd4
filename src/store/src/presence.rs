//! Whether the outputs of a key are there as its record says.
//! Unaware of why anyone asks, and of how to repair it.

use std::fs;
use std::io;
use std::path::Path;

use rayon::prelude::*;

use crate::stat::Stat;
use crate::{Key, Output, Record, Store};

/// What [`Presence::Damaged`] names when it is the record that is damaged.
pub const DAMAGED_RECORD: &str = "(record)";

/// How a committed key is found.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence {
    /// No record: the key was never committed, or was set aside.
    Absent,
    /// All outputs are as the record says.
    Fresh(Record),
    /// These outputs are gone, the others are fine.
    Missing(Vec<String>),
    /// These outputs, or [`DAMAGED_RECORD`], are not what was committed.
    Damaged(Vec<String>),
}

/// How closely to look at files whose size fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Trust the memo where the kernel says that the file did not change.
    Memo,
    /// Read every byte.
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Good,
    Missing,
    Damaged,
}

/// From this many outputs on, all cores look.
const MANY: usize = 64;

pub(crate) fn judge(store: &Store, key: &Key, look: Look) -> Presence {
    match store.record(key) {
        Ok(None) => Presence::Absent,
        Ok(Some(record)) => judge_outputs(store, record, look),
        Err(_) => Presence::Damaged(vec![DAMAGED_RECORD.to_owned()]),
    }
}

fn judge_outputs(store: &Store, record: Record, look: Look) -> Presence {
    let folder = store.output_dir(&record.key);
    let find = |output: &Output| find(store, &folder, output, look);
    let found: Vec<Found> = if record.outputs.len() < MANY && look == Look::Memo {
        record.outputs.iter().map(find).collect()
    } else {
        record.outputs.par_iter().map(find).collect()
    };
    let named = |what| -> Vec<String> {
        let those = record
            .outputs
            .iter()
            .zip(&found)
            .filter(|&(_, &found)| found == what);
        those.map(|(output, _)| output.path.clone()).collect()
    };
    match (named(Found::Damaged), named(Found::Missing)) {
        (damaged, _) if !damaged.is_empty() => Presence::Damaged(damaged),
        (_, missing) if !missing.is_empty() => Presence::Missing(missing),
        _ => Presence::Fresh(record),
    }
}

fn find(store: &Store, folder: &Path, output: &Output, look: Look) -> Found {
    use io::ErrorKind::{NotADirectory, NotFound};
    let path = folder.join(&output.path);
    let stat = match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() && meta.len() == output.size => Stat::of(&meta),
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => return Found::Missing,
        _ => return Found::Damaged,
    };
    let digest = match look {
        Look::Memo => store.digest_of(&path, &stat),
        Look::Bytes => store.digest_anew(&path),
    };
    let good = digest.is_ok_and(|digest| digest == output.digest);
    if good { Found::Good } else { Found::Damaged }
}
