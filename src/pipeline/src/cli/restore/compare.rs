//! The page that compares restored photographs with what they were: `index.html` and `img/` beside them.
//! Unaware of what the page looks like. There is no ground truth, so there are no numbers.

use std::path::{Path, PathBuf};

use artifacts::PairList;
use diagnostics::shown::{counted, line};
use files::Name;
use page::{Method, Page, Set};
use spec::kinds::Degrade;
use spec::{Baseline, Compare};

use super::args::RestoreArgs;
use super::beside::Beside;
use super::masks::Masks;
use super::model::Model;
use super::photos::{Photo, Photos};
use crate::cli::ask::Folder;
use crate::cli::{Fatal, say};

/// The page's file.
const FILE: &str = "index.html";

/// Nothing that is there is lost.
pub fn check(args: &RestoreArgs) -> Result<(), Fatal> {
    let path = args.out.join(FILE);
    if args.overwrite || std::fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    let message = format!("`{}` is there already", Name(&path));
    Err(Fatal::usage(message, "give another folder, or --overwrite"))
}

/// Where the pictures of a photograph go that the page shows.
pub fn pictures(
    baseline: Option<&Baseline>,
    photo: &Photo,
    work: &Folder,
) -> Result<Compare, Fatal> {
    let of = |method: &str| -> Result<PathBuf, Fatal> {
        let folder = work.below(&format!("{method}/restored"))?;
        Ok(folder.join(format!("{}.png", photo.number)))
    };
    let baseline = baseline.map(|_| of("compared-baseline"));
    Ok(Compare {
        restored: of("compared-model")?,
        baseline: baseline.transpose()?,
    })
}

/// Writes the page.
pub fn write(
    args: &RestoreArgs,
    model: &Model,
    photos: &Photos,
    masks: &Masks,
    work: &Folder,
) -> Result<(), Fatal> {
    let images = super::masks::pictures(photos, work)?;
    let mut list = PairList::read(&images).map_err(|e| Fatal::failed(e.to_string(), e.hint()))?;
    list.degrade = Degrade::Sr(model.card.architecture.scale());
    list.write(&images)
        .map_err(|e| Fatal::failed(e.to_string(), e.hint()))?;
    let stamp = stamp(args, photos);
    let method = |name: &str, folder: &str, baseline: bool| Method {
        name: name.to_owned(),
        stage: name.to_owned(),
        // Sixteen characters of it name the pictures.
        key: format!("{stamp}-{name:.6}"),
        folder: work.path().join(folder),
        baseline,
        masks: masks
            .folder
            .as_ref()
            .filter(|_| !baseline)
            .map(|_| MASKS.to_owned()),
        other: false,
    };
    let mut methods = Vec::new();
    if model.baseline.is_some() {
        methods.push(method("baseline", "compared-baseline", true));
    }
    methods.push(method("restored", "compared-model", false));
    let set = Set {
        name: "photographs".into(),
        key: format!("{stamp}-lq"),
        folder: images,
        methods,
        masks: masks
            .folder
            .iter()
            .map(|folder| of_page(&stamp, folder))
            .collect(),
        blind: true,
        titles: photos
            .each
            .iter()
            .map(|photo| photo.title.clone())
            .collect(),
    };
    let page = Page {
        file: format!("Restored by {}", line(&args.model)),
        facts: facts(model, photos),
        sets: vec![set],
        ..Page::default()
    };
    Beside::new(&args.out).write(&page)?;
    say(&format!("page: {}", Name(&args.out.join(FILE))));
    Ok(())
}

/// What the masks are called on the page.
const MASKS: &str = "masks";

fn of_page(stamp: &str, folder: &Path) -> page::Masks {
    page::Masks {
        stage: MASKS.into(),
        key: format!("{stamp}-masks"),
        folder: folder.to_owned(),
    }
}

/// Begins the names of pictures: those of another restoration into the same folder have others, and browsers keep files.
fn stamp(args: &RestoreArgs, photos: &Photos) -> String {
    let mut text = format!(
        "{args:?} {}",
        humantime::format_rfc3339_nanos(std::time::SystemTime::now())
    );
    for photo in &photos.each {
        text += &photo.title;
    }
    format!("{:.8}", store::Digest::of(text.as_bytes()).to_string())
}

fn facts(model: &Model, photos: &Photos) -> Vec<(String, String)> {
    let mut network = model.card.architecture.name().to_uppercase();
    if let Some(spt) = &model.card.spt {
        network += &format!(" with SPT units, {} masks", spt.masks);
    }
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    [
        ("photographs", counted(photos.each.len(), "photograph")),
        ("network", network),
        ("scale", format!("×{}", model.scale())),
        (
            "masks",
            model
                .masks
                .as_ref()
                .map_or("none".into(), |m| m.mask.segmenter.label()),
        ),
        ("when", now.to_string()),
    ]
    .map(|(word, text)| (word.to_owned(), text))
    .into()
}
