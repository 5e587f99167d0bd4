//! Which trainings keep images and masks decoded in the cache, how much that will take, and whether it is whole.
//! Unaware of how the files are made and mended: the worker does it, the store has the room.
//!
//! ```text
//!   PIPELINE_DECODED ──> above so many bytes ─┬─> `run`: the jobs of trainings
//!   pairs.json, else the headers of some      └─> plan: so much for the images of a `prepare` stage
//! ```
//!
//! Nothing of it is in a key: a training reads the same numbers either way.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use artifacts::PairList;
use pixels::Blocks;
use rayon::prelude::*;
use spec::kinds::{Degrade, Prepare};
use spec::{Edge, Kind};
use store::{DecodedRoom, Store};

use crate::session::Session;
use plan::{Plan, Verdict};

/// What will be kept of the images of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The stage that hands them on.
    pub stage: usize,
    /// Bytes.
    pub bytes: u64,
    /// Whether that is of all images, or taken from some of them.
    pub is_exact: bool,
}

/// What the trainings that are to run will keep and do not find there, by the images that they read. Nothing is said of
/// images that other stages have yet to make.
pub fn rooms(session: &Session, plan: &Plan) -> Vec<Room> {
    let Some(above) = session.keep_decoded else {
        return Vec::new();
    };
    let mut images = Vec::new();
    for planned in &plan.stages {
        let stage = &session.pipeline.stages[planned.stage];
        if stage.kind.schedule().is_some() && matches!(planned.verdict, Verdict::Stale(_)) {
            let read = |edge: &&Edge| edge.role == "images";
            images.extend(stage.inputs.iter().find(read).map(|edge| edge.stage));
        }
    }
    images.sort_unstable();
    images.dedup();
    let rooms = images.into_iter().filter_map(|at| room(session, plan, at));
    rooms.filter(|room| room.bytes > above).collect()
}

fn room(session: &Session, plan: &Plan, stage: usize) -> Option<Room> {
    let planned = plan.get(stage)?;
    let Kind::Prepare(prepare) = &session.pipeline.stages[stage].kind else {
        return None;
    };
    let (bytes, is_exact) = if let (Verdict::Fresh, Some(key)) = (&planned.verdict, planned.key) {
        let content = session.store.made(&key)?.content;
        if DecodedRoom::new(&session.store.decoded_path())
            .path(&content)
            .exists()
        {
            return None;
        }
        let list = PairList::read(&session.store.output_dir(&key)).ok()?;
        (list.decoded_bytes(), true)
    } else {
        (estimate(prepare)?, false)
    };
    Some(Room {
        stage,
        bytes,
        is_exact,
    })
}

/// So many images of a folder are looked at to say how large all of them are.
const SOME: usize = 64;

fn estimate(prepare: &Prepare) -> Option<u64> {
    let mut files: Vec<PathBuf> = Vec::new();
    for source in prepare.sources() {
        let listed = pixels::list_images(&source.hr, prepare.recursive).ok()?;
        let wanted = listed.files.into_iter().filter(|file| {
            let of_set = source.dataset.is_none_or(|d| d.facts().has(&file.name));
            of_set && prepare.is_wanted("images", &source.hr, &file.name)
        });
        files.extend(wanted.map(|file| file.path));
    }
    let step = files.len().div_ceil(SOME).max(1);
    let sizes: Vec<u64> = files
        .iter()
        .step_by(step)
        .filter_map(|file| samples(file))
        .collect();
    let mean = sizes.iter().sum::<u64>().checked_div(sizes.len() as u64)?;
    let all = mean * files.len() as u64;
    Some(match prepare.degrade {
        Degrade::Sr(scale) => all + all / u64::from(scale * scale).max(1),
        Degrade::Denoise(_) => all,
    })
}

/// The bytes of a picture as 8-bit RGB, by the beginning of its file; `None` where that does not say.
fn samples(path: &Path) -> Option<u64> {
    const BEGINNING: u64 = 64 << 10;
    let begin = |path: &Path, _: u64| {
        let mut bytes = Vec::new();
        File::take(files::open(path)?, BEGINNING).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let (width, height) = pixels::image_size_by(&begin, path).ok()?;
    Some(width as u64 * height as u64 * 3)
}

/// What a verification of all that is kept decoded found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not as it was written, in the order of the files.
    pub broken: Vec<Broken>,
}

/// A file that is not as it was written. It stays in its place: a training that reads it mends it there.
#[derive(Debug)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// What of it is damaged: items by name, of so many.
    pub damaged: Result<(Vec<String>, usize), String>,
}

/// Reads every block of what is kept decoded, on all cores, and compares it with its digest. Files that a clean-up takes
/// meanwhile are left out.
pub fn verify(store: &Store) -> Checked {
    let mut checked = Checked::default();
    for (content, path) in DecodedRoom::new(&store.decoded_path()).files() {
        let Ok(file) = files::open(&path) else {
            if path.exists() {
                let damaged = Err("it cannot be opened".to_owned());
                checked.broken.push(Broken { path, damaged });
            }
            continue;
        };
        checked.files += 1;
        checked.bytes += file.metadata().map_or(0, |data| data.len());
        let damaged = match Blocks::open(file, content.as_bytes()) {
            Ok(blocks) => Ok((damaged_items(&blocks), blocks.items().len())),
            Err(error) => Err(error.to_string()),
        };
        let is_whole = matches!(&damaged, Ok((items, _)) if items.is_empty());
        if !is_whole {
            checked.broken.push(Broken { path, damaged });
        }
    }
    checked
}

/// The names of the items of which a block does not have its digest or cannot be read.
fn damaged_items(blocks: &Blocks) -> Vec<String> {
    let items = blocks.items().par_iter().enumerate();
    let damaged = items.filter(|(at, _)| blocks.check(*at).is_err());
    damaged.map(|(_, item)| item.name.clone()).collect()
}
