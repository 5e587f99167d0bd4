//! Last states of training runs, filed by trajectory, iteration and what was consumed: a longer run starts from a shorter
//! one's. Unaware of what a state holds, and of which runs share a trajectory.
//!
//! `trajectories/<aa>/<key>/<iteration>-<inputs>/files/...` and, beside `files`, `state.json`: two lines of JSON like a
//! record, with the digest of each file and of each input. The folder gets its name when all is on the disk. States made
//! from other bytes of their inputs have folders of their own: none takes the place of one that is about to be read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::{create_folder_beside, parent, remove_all};
use crate::copy::copy_all;
use crate::error::at;
use crate::hash::Hashed;
use crate::listed::Listed;
use crate::presence::{Look, judge_outputs};
use crate::quarantine::new_folder;
use crate::record::is_inside;
use crate::{Digest, Key, Output, OutputKind, Result, Status, Store, StoreError, outputs, summed};

/// More than `state.json` takes.
const MAX_STATE: u64 = 16 << 20;

/// The version of the fields of `state.json`.
const STATE_FORMAT: u32 = 2;

/// What a training consumed: the digest of each input, by role.
pub type Consumed = BTreeMap<String, Digest>;

/// A whole state that is filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledState {
    /// How many iterations were done.
    pub iteration: u64,
    /// What it was made from.
    pub consumed: Consumed,
    /// Where its files lie.
    pub folder: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    format: u32,
    trajectory: Key,
    iteration: u64,
    consumed: Consumed,
    files: Vec<Output>,
}

/// The files alone, which nobody runs.
fn plain(hashed: Vec<(Output, Hashed)>) -> Vec<Output> {
    let all = hashed.into_iter().map(|(output, _)| output);
    let files = all.filter(|output| output.kind.is_file());
    let plain = |file| Output {
        kind: OutputKind::File,
        ..file
    };
    files.map(plain).collect()
}

impl Store {
    /// Files a copy of the folder `files` as the state of this iteration of a training that consumed this, on the disk
    /// when it returns. One that is filed already and whole stays. Returns the folder of the copies.
    pub fn save_state(
        &self,
        trajectory: &Key,
        iteration: u64,
        consumed: &Consumed,
        files: &Path,
    ) -> Result<PathBuf> {
        self.check_writable()?;
        let place = self.place_of_state(trajectory, iteration, consumed);
        if self.whole_state(trajectory, &place).is_some() {
            return Ok(place.join("files"));
        }
        let folder = parent(&place);
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let beside = create_folder_beside(folder).map_err(at("write in", folder))?;
        let state = State {
            format: STATE_FORMAT,
            trajectory: *trajectory,
            iteration,
            consumed: consumed.clone(),
            files: Vec::new(),
        };
        let saved = self.write_state(state, files, &beside);
        let saved = saved.and_then(|()| self.name_state(trajectory, &beside, &place));
        if saved.is_err() {
            let _ = remove_all(&beside); // the first error is the one to tell
        }
        saved.map(|()| place.join("files"))
    }

    fn write_state(&self, mut state: State, from: &Path, to: &Path) -> Result<()> {
        let stock = outputs::list(from)?;
        if let Some(link) = stock.link() {
            let path = from.join(link);
            let what = "a symbolic link";
            return Err(StoreError::NotRegular { path, what });
        }
        let folders = stock.folders.clone();
        state.files = plain(self.hash_all(from, stock)?);
        let copies = to.join("files");
        let mut written = copy_all(from, &state.files, &copies)?;
        let manifest = to.join("state.json");
        let bytes = summed::encode(&state).map_err(io::Error::from);
        let bytes = bytes.map_err(at("encode", &manifest))?;
        fs::write(&manifest, bytes).map_err(at("write", &manifest))?;
        written.extend(folders.iter().map(|folder| copies.join(folder)));
        written.extend([manifest, to.to_path_buf()]);
        self.disk().flush_group(written)
    }

    /// A damaged one of this name moves aside; that of another process, filed meanwhile, will do.
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

    /// The whole states of a trajectory by iteration, whatever they were made from. Judged by the memo, as presences are:
    /// bytes are read of files that it does not know.
    pub fn states(&self, trajectory: &Key) -> Vec<FiledState> {
        let folder = self.layout().trajectory(trajectory);
        let names = crate::tree::names(&folder).unwrap_or_default();
        let whole = |name: &String| self.whole_state(trajectory, &folder.join(name));
        let mut states: Vec<FiledState> = names.iter().filter_map(whole).collect();
        states.sort_by(|a, b| (a.iteration, &a.folder).cmp(&(b.iteration, &b.folder)));
        states
    }

    fn place_of_state(&self, trajectory: &Key, iteration: u64, consumed: &Consumed) -> PathBuf {
        let line = |(role, digest): (&String, &Digest)| format!("{role}\t{digest}\n");
        let lines: String = consumed.iter().map(line).collect();
        let inputs = Digest::of(lines.as_bytes()).to_string();
        let folder = self.layout().trajectory(trajectory);
        folder.join(format!("{iteration}-{}", &inputs[..16]))
    }

    fn whole_state(&self, trajectory: &Key, place: &Path) -> Option<FiledState> {
        let state = self.read(trajectory, place)?;
        let folder = place.join("files");
        let listed = state.files.iter().map(Listed::from);
        let found = judge_outputs(self, &folder, listed, state.files.len(), Look::Memo);
        matches!(found, Status::Fresh(_)).then_some(FiledState {
            iteration: state.iteration,
            consumed: state.consumed,
            folder,
        })
    }

    /// `None` unless every byte of the manifest is as it was written, for this trajectory and place.
    fn read(&self, trajectory: &Key, place: &Path) -> Option<State> {
        let bytes = files::read(&place.join("state.json"), MAX_STATE).ok()?;
        let state: State = summed::decode(&bytes).ok()?;
        let is_ours = state.format == STATE_FORMAT
            && state.trajectory == *trajectory
            && self.place_of_state(trajectory, state.iteration, &state.consumed) == place
            && state.files.iter().all(|file| is_inside(&file.path));
        is_ours.then_some(state)
    }
}
