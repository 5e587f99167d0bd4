//! `pipeline restore`: photographs of one's own through a model that a pipeline trained, or that was exported.
//! Unaware of how it is computed: workers make the masks and restore.
//!
//! ```text
//!   --model STAGE | FILE ─> model: weights, who makes its masks, its scale ──────────────┐
//!   PHOTO… | FOLDER… ─────> photos: one name each, headers looked at, nothing overwritten ┤
//!                                                                                         v
//!        masks: a worker does the `mask` stages that the model's pipeline has, for these photographs
//!                                                                                         v
//!        a worker restores ─> a folder within DIR ─> each moved to DIR/NAME.png when all are done
//!                                          └─ compare: pictures, masks ─> page ─> DIR/index.html, DIR/img/
//! ```

mod args;
mod beside;
mod compare;
mod failed;
mod masks;
mod model;
mod photos;
mod place;
mod said;

use std::path::{Path, PathBuf};

use diagnostics::shown::line;
use files::Name;
use spec::{RESTORATION_FORMAT, Restoration, Restored};

use super::ask::{Folder, Worker, cannot};
use super::{Exit, Fatal, say};
use masks::Masks;
use model::Model;
use photos::{Photo, Photos};
use place::Place;

use args::Numbers;

pub use args::RestoreArgs;
pub use model::{mask_source, trained};

/// The same with the pipeline file that may stand before the photographs.
fn file_first(args: &RestoreArgs) -> Result<RestoreArgs, Fatal> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let first: Vec<String> = args.photos.iter().take(1).map(text).collect();
    let (common, rest) = args.common.with_words(&first)?;
    let taken = first.len() - rest.len();
    Ok(RestoreArgs {
        common,
        photos: args.photos[taken..].to_vec(),
        ..args.clone()
    })
}

/// Restores the photographs.
pub fn restore(args: &RestoreArgs) -> Result<Exit, Fatal> {
    let args = &file_first(args)?;
    if args.photos.is_empty() {
        return Err(Fatal::usage(
            "no photograph is named",
            "name files, or folders of them",
        ));
    }
    let model = Model::find(args)?;
    let mut photos = photos::read(args, model.scale())?;
    if photos.each.is_empty() {
        return failed::none_is_left(photos.failed);
    }
    failed::left_out(&photos);
    if args.compare {
        compare::check(args)?;
    }
    let _place = Place::new(&args.out)?;
    let work = Folder::new(&args.out, "restore")?;
    let worker = Worker::find(args.common.reading.on.device)?;
    said::what(&args.model, &model.card.architecture);
    let masks = masks::make(&model, &photos, &work, &worker)?;
    let order = order(args, &model, &photos, &masks, &work, &worker)?;
    let file = write(&order, &work)?;
    let mut shown = said::Shown::new();
    let arguments = ["--restore".as_ref(), file.as_os_str()];
    let tf32 = args.precision == Numbers::Tf32;
    let facts = worker.ask(&arguments, tf32, &mut |event| shown.tell(event))?;
    shown.end();
    failed::add(&mut photos, &facts);
    for photo in photos.restored() {
        let from = work.path().join("restored").join(photo.number.as_str());
        let to = args.out.join(&photo.to);
        std::fs::rename(&from, &to).map_err(|e| cannot("write", &to, &e))?;
        say(&format!(
            "{}: {}",
            photo.shown(),
            line(&Name(&to).to_string())
        ));
    }
    let page = if args.compare {
        compare::write(args, &model, &photos, &masks, &work)
    } else {
        Ok(())
    };
    said::end(&facts, &photos, masks.seconds);
    failed::at_the_end(&photos, page)
}

/// What the worker is asked for.
fn order(
    args: &RestoreArgs,
    model: &Model,
    photos: &Photos,
    masks: &Masks,
    work: &Folder,
    worker: &Worker,
) -> Result<Restoration, Fatal> {
    let (from, to) = (work.below("photos")?, work.below("restored")?);
    let one = |photo: &Photo| -> Result<Restored, Fatal> {
        let number = photo.number.as_str();
        let link = from.join(number);
        linked(&photo.path, &link).map_err(|e| cannot("link", &photo.path, &e))?;
        Ok(Restored {
            name: photo.shown(),
            from: link,
            to: to.join(number),
            masks: masks.of(photo),
            compare: args
                .compare
                .then(|| compare::pictures(model.baseline.as_ref(), photo, work))
                .transpose()?,
        })
    };
    Ok(Restoration {
        format: RESTORATION_FORMAT,
        model: model.weights.clone(),
        baseline: model.baseline.clone().filter(|_| args.compare),
        photos: photos.each.iter().map(one).collect::<Result<_, _>>()?,
        tiles: args.tile,
        form: args.form(),
        precision: args.precision.word(),
        device: worker.device,
        threads: worker.threads,
    })
}

/// A link by which the worker finds a photograph: its own path may be no text.
fn linked(path: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::fs::canonicalize(path)?, link)
}

fn write(order: &Restoration, work: &Folder) -> Result<PathBuf, Fatal> {
    let file = work.path().join("work.json");
    let text = serde_json::to_string(order).map_err(|e| {
        let message = format!("a path cannot be handed to the worker: {e}");
        Fatal::failed(message, "names of folders have to be UTF-8")
    })?;
    std::fs::write(&file, text).map_err(|e| cannot("write", &file, &e))?;
    Ok(file)
}
