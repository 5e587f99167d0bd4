//! Last states of training runs, filed by trajectory and iteration: a longer run starts from a shorter one's.
//! Unaware of what a state holds, and of which runs share a trajectory.
//!
//! `trajectories/<aa>/<key>/<iteration>/files/...` and, beside `files`, `state.json`: two lines of JSON like a record, with
//! the digest of each file. The folder gets its name when all is on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::aside::new_folder;
use crate::atomic::{create_folder_beside, parent, remove_all};
use crate::copy::copy_all;
use crate::error::at;
use crate::index::Listed;
use crate::presence::{Look, judge_outputs};
use crate::record::is_inside;
use crate::{Key, Output, Presence, Result, Store, StoreError, outputs, summed};

/// More than `state.json` takes.
const MAX_STATE: u64 = 16 << 20;

/// The version of the fields of `state.json`.
const STATE_FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    format: u32,
    trajectory: Key,
    iteration: u64,
    files: Vec<Output>,
}

impl Store {
    /// Files a copy of the folder `files` as the state of this iteration, on the disk when it returns. One that is
    /// filed already and whole stays. Returns the folder of the copies.
    pub fn save_state(&self, trajectory: &Key, iteration: u64, files: &Path) -> Result<PathBuf> {
        self.check_writable()?;
        let place = self
            .layout()
            .trajectory(trajectory)
            .join(iteration.to_string());
        if self.whole_state(trajectory, iteration).is_some() {
            return Ok(place.join("files"));
        }
        let folder = parent(&place);
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let beside = create_folder_beside(folder).map_err(at("write in", folder))?;
        let saved = self.write_state(trajectory, iteration, files, &beside);
        let saved = saved.and_then(|()| self.name_state(trajectory, &beside, &place));
        if saved.is_err() {
            let _ = remove_all(&beside); // the first error is the one to tell
        }
        saved.map(|()| place.join("files"))
    }

    fn write_state(&self, trajectory: &Key, iteration: u64, from: &Path, to: &Path) -> Result<()> {
        let stock = outputs::list(from)?;
        let files = outputs::digest_all(self, from, &stock.files)?;
        let copies = to.join("files");
        let mut written = copy_all(from, &files, &copies)?;
        let state = State {
            format: STATE_FORMAT,
            trajectory: *trajectory,
            iteration,
            files,
        };
        let manifest = to.join("state.json");
        let bytes = summed::encode(&state).map_err(io::Error::from);
        let bytes = bytes.map_err(at("encode", &manifest))?;
        fs::write(&manifest, bytes).map_err(at("write", &manifest))?;
        written.extend(stock.folders.iter().map(|folder| copies.join(folder)));
        written.extend([manifest, to.to_path_buf()]);
        self.disk().flush_group(written)
    }

    /// A damaged one of this iteration moves aside; that of another process, filed meanwhile, will do.
    fn name_state(&self, trajectory: &Key, beside: &Path, place: &Path) -> Result<()> {
        if fs::symlink_metadata(place).is_ok() {
            let aside = new_folder(self.layout(), trajectory)?;
            fs::rename(place, aside.join("state")).map_err(at("move aside", place))?;
        }
        match fs::rename(beside, place) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => remove_all(beside),
            other => other.map_err(at("rename to", place)),
        }
    }

    /// The whole states of a trajectory by iteration, and the folders of their files. Judged by the memo, as presences
    /// are: bytes are read of files that it does not know.
    pub fn states(&self, trajectory: &Key) -> Vec<(u64, PathBuf)> {
        let names = crate::store::names(&self.layout().trajectory(trajectory)).unwrap_or_default();
        let mut iterations: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        iterations.sort_unstable();
        let whole = iterations.into_iter().filter_map(|iteration| {
            let folder = self.whole_state(trajectory, iteration)?;
            Some((iteration, folder))
        });
        whole.collect()
    }

    /// Copies the files of a state into the folder `dest`, each verified while it is copied.
    pub fn take_state(
        &self,
        trajectory: &Key,
        iteration: u64,
        dest: &Path,
    ) -> Result<Vec<PathBuf>> {
        let folder = self
            .layout()
            .trajectory(trajectory)
            .join(iteration.to_string());
        let state =
            read(&folder, trajectory, iteration).ok_or_else(|| StoreError::DamagedOutput {
                path: folder.join("state.json"),
            })?;
        copy_all(&folder.join("files"), &state.files, dest)
    }

    fn whole_state(&self, trajectory: &Key, iteration: u64) -> Option<PathBuf> {
        let folder = self
            .layout()
            .trajectory(trajectory)
            .join(iteration.to_string());
        let State { files, .. } = read(&folder, trajectory, iteration)?;
        let place = folder.join("files");
        let listed = files.iter().map(Listed::from);
        let found = judge_outputs(self, &place, listed, files.len(), Look::Memo);
        matches!(found, Presence::Fresh(_)).then_some(place)
    }
}

/// `None` unless every byte of the manifest is as it was written, for this trajectory and iteration.
fn read(folder: &Path, trajectory: &Key, iteration: u64) -> Option<State> {
    let bytes = files::read(&folder.join("state.json"), MAX_STATE).ok()?;
    let state: State = summed::decode(&bytes).ok()?;
    let is_ours = state.format == STATE_FORMAT
        && (state.trajectory, state.iteration) == (*trajectory, iteration)
        && state.files.iter().all(|file| is_inside(&file.path));
    is_ours.then_some(state)
}
