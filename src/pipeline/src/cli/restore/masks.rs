//! The masks of the photographs, made as the model's pipeline makes them: its mask stages, one after the other, over these
//! photographs in place of its images.
//! Unaware of what restores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use artifacts::{MaskList, MaskSource};
use pixels::read_photo;
use spec::kinds::Degrade;
use spec::segmenters::Segmenter;

use super::model::Model;
use super::photos::{Photo, Photos};
use super::unreadable;
use crate::cli::Fatal;
use crate::cli::ask::{Folder, Worker};
use crate::cli::masks::job;

/// Masks that were made.
#[derive(Default)]
pub struct Masks {
    /// The outputs of the mask stage, where the model reads masks.
    pub folder: Option<PathBuf>,
    list: Option<MaskList>,
    /// How long it took.
    pub seconds: f64,
}

impl Masks {
    /// The file with the masks of a photograph.
    pub fn of(&self, photo: &Photo) -> Option<PathBuf> {
        let at: usize = photo.number.parse().ok()?;
        let entry = self.list.as_ref()?.images.get(at)?;
        Some(self.folder.as_ref()?.join(&entry.file))
    }
}

/// Makes them, below `work`.
pub fn make(
    model: &Model,
    photos: &Photos,
    work: &Folder,
    worker: &Worker,
) -> Result<Masks, Fatal> {
    let Some(source) = &model.masks else {
        if model.card.spt.is_some() {
            let message = "the model reads masks, and nothing says who makes them";
            return Err(Fatal::failed(message, "export it again"));
        }
        return Ok(Masks::default());
    };
    let begin = Instant::now();
    let images = pictures(source, photos, work)?;
    let folder = by(source, &images, work, 0, worker)?;
    let list = MaskList::read(&folder).map_err(|e| Fatal::failed(e.to_string(), e.hint()))?;
    Ok(Masks {
        folder: Some(folder),
        list: Some(list),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// The photographs as a `prepare` stage would leave them: in 8-bit RGB, upright. They are called by their numbers, but where
/// files of masks are looked for by name.
fn pictures(source: &MaskSource, photos: &Photos, work: &Folder) -> Result<PathBuf, Fatal> {
    let folder = work.below("images")?;
    let is_by_name = reads_files(source);
    let mut pairs = Vec::new();
    for photo in &photos.each {
        let (read, _) = read_photo(&photo.path).map_err(|e| unreadable(&e))?;
        let name = if is_by_name {
            &photo.title
        } else {
            &photo.number
        };
        let file = format!("{}.png", photo.number);
        pairs.push(job::add(&folder, name, &file, &read.image)?);
    }
    job::finish(&folder, Degrade::Sr(1), pairs)?;
    Ok(folder)
}

fn reads_files(source: &MaskSource) -> bool {
    let inner = source.of.as_ref().is_some_and(|of| reads_files(of));
    inner || matches!(source.mask.segmenter, Segmenter::Files(_))
}

/// The outputs of a mask stage, and before it of the one that it reads.
fn by(
    source: &MaskSource,
    images: &Path,
    work: &Folder,
    depth: usize,
    worker: &Worker,
) -> Result<PathBuf, Fatal> {
    let mut inputs = BTreeMap::from([("images".to_owned(), images.to_owned())]);
    if let Some(of) = &source.of {
        let folder = by(of, images, work, depth + 1, worker)?;
        inputs.insert("segmenter.other.masks".into(), folder);
    }
    let own = work.below(&format!("masks-{depth}"))?;
    job::run(&source.mask, inputs, &own, worker)?;
    Ok(own.join("out"))
}
