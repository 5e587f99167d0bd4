//! The masks of the photographs, made as the model's pipeline makes them: its mask stages, one after the other, over these
//! photographs in place of its images.
//! Unaware of what restores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use artifacts::{MaskList, MaskSource, PairList};
use pixels::read_photo;
use spec::kinds::Degrade;
use spec::segmenters::Segmenter;

use super::model::Model;
use super::photos::{Photo, Photos};
use crate::cli::Fatal;
use crate::cli::ask::{Folder, Worker, cannot};
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
    let images = pictures(photos, work)?;
    let images = if reads_files(source) {
        by_name(&images, photos, work)?
    } else {
        images
    };
    let folder = by(source, &images, work, 0, worker)?;
    let failed = |e: artifacts::ArtifactError| Fatal::failed(e.to_string(), e.hint());
    let mut list = MaskList::read(&folder).map_err(failed)?;
    for (entry, photo) in list.images.iter_mut().zip(&photos.each) {
        entry.name.clone_from(&photo.number);
    }
    list.write(&folder).map_err(failed)?;
    Ok(Masks {
        folder: Some(folder),
        list: Some(list),
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// The photographs as a `prepare` stage would leave them: in 8-bit RGB, upright, called by their numbers. They are written
/// once.
pub fn pictures(photos: &Photos, work: &Folder) -> Result<PathBuf, Fatal> {
    let folder = work.below("images")?;
    if PairList::path(&folder).is_file() {
        return Ok(folder);
    }
    let mut pairs = Vec::new();
    for photo in &photos.each {
        let (read, _) = read_photo(&photo.path).map_err(|e| Fatal::of_pixels(&e))?;
        let file = format!("{}.png", photo.number);
        pairs.push(job::add(&folder, &photo.number, &file, &read.image)?);
    }
    job::finish(&folder, Degrade::Sr(1), pairs)?;
    Ok(folder)
}

/// The same called by their titles: files of masks are looked for by name.
fn by_name(images: &Path, photos: &Photos, work: &Folder) -> Result<PathBuf, Fatal> {
    let failed = |e: artifacts::ArtifactError| Fatal::failed(e.to_string(), e.hint());
    let whole = std::path::absolute(images).map_err(|e| cannot("find", images, &e))?;
    let mut list = PairList::read(images).map_err(failed)?;
    for (pair, photo) in list.pairs.iter_mut().zip(&photos.each) {
        let file = whole.join(&pair.hr).display().to_string();
        pair.name.clone_from(&photo.title);
        (pair.hr, pair.lq) = (file.clone(), Some(file));
    }
    let folder = work.below("images-by-name")?;
    list.write(&folder).map_err(failed)?;
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
