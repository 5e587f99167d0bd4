//! `--restore`: photographs through a network, each as a whole or in tiles that fit into memory.
//! Unaware of stages, of how masks are made and of what the files are called in the end.
//!
//! ```text
//!   Restoration ── network: weights of a stage or an exported file
//!       |
//!       └─ each photograph ── pixels::read_photo ─┬─ samples ── tiles: cut, blended ── 8 bits ──┐
//!                                masks ───────────┘                                             ├─ write_photo
//!                                                 └─ transparency (enlarged), profile, Exif ────┘
//! ```
//!
//! Seconds in the network, of reading and of writing are counted apart and said at the end.

mod cut;
mod network;
mod picture;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use pixels::{
    MaskStack, Photo, PixelError, Rgb8, larger_alpha, read_photo, write_photo, write_png,
};
use serde_json::json;
use spec::{Baseline, Event, Form, Restoration, Restored, Tiles};

use super::facts::FactMap;
use super::model::{self, Model};
use super::{Reporter, WorkError, memory, numbers};
use crate::nn::blend::Cut;
use picture::Picture;

/// Restores all photographs.
pub(super) fn run(work: &Restoration, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let device = model::device(work.device);
    numbers::check(work.precision, work.device)?;
    let open = |weights| network::open(weights, device, work.precision);
    let model = open(&work.model)?;
    let other = match &work.baseline {
        Some(Baseline::Other(weights)) => Some(open(weights)?),
        Some(Baseline::WithoutUnits) | None => None,
    };
    let mut run = Run::new(work, reporter, model, other, memory::free);
    run.count_steps();
    for (at, photo) in work.photos.iter().enumerate() {
        match run.tried(&photo.name, |run| run.restore(photo)) {
            Ok(()) => {}
            Err(Failure::Photo(error)) if error.is_interruption() => return Err(error),
            Err(Failure::Photo(error)) => run.failed.push((at, error)),
            Err(Failure::Disk(error)) => {
                run.none_from(at, &error);
                break;
            }
        }
    }
    if run.failed.len() == work.photos.len()
        && let Some((at, error)) = run.failed.first().cloned()
    {
        return Err(error.about(&work.photos[at].name));
    }
    Ok(run.facts())
}

/// What restores, and how far it is.
struct Run<'a> {
    work: &'a Restoration,
    reporter: &'a Reporter,
    model: Model,
    /// The network that the first is compared with, where it is another.
    other: Option<Model>,
    /// What a photograph as a whole may take, bytes.
    budget: u64,
    steps: Steps,
    seconds: Seconds,
    /// Of each photograph, how many tiles it was cut into.
    tiled: Vec<usize>,
    /// Photographs, by their places, that could not be restored: the others are.
    failed: Vec<(usize, WorkError)>,
}

/// Why a photograph is not restored.
enum Failure {
    /// Of its own, or an interruption.
    Photo(WorkError),
    /// The system does not take what is written, and would take no other.
    Disk(WorkError),
}

impl<E: Into<WorkError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Photo(error.into())
    }
}

impl Failure {
    /// That of writing one. What a format has no room for was found when the headers were looked at.
    fn of_writing(error: PixelError) -> Self {
        match error {
            error @ PixelError::Write { .. } => Self::Disk(error.into()),
            error => error.into(),
        }
    }
}

/// The network that a picture goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The one that restores.
    Model,
    /// The same without its SPT units.
    WithoutUnits,
    /// The one that it is compared with.
    Other,
}

/// Tiles, of all photographs together.
#[derive(Default)]
struct Steps {
    done: usize,
    all: usize,
}

/// Where the time went.
#[derive(Default)]
struct Seconds {
    read: f64,
    network: f64,
    /// In the network for pictures to compare with.
    baseline: f64,
    /// Cutting, blending and rounding.
    around: f64,
    write: f64,
}

impl<'a> Run<'a> {
    /// `free` says how much memory is left beside the networks.
    fn new(
        work: &'a Restoration,
        reporter: &'a Reporter,
        model: Model,
        other: Option<Model>,
        free: impl FnOnce() -> Option<u64>,
    ) -> Self {
        Self {
            work,
            reporter,
            model,
            other,
            budget: cut::budget(work.device, free()),
            steps: Steps::default(),
            seconds: Seconds::default(),
            tiled: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// The way to cut a picture of `size` (H, W), through whichever network.
    fn cut(&self, size: (i64, i64)) -> Cut {
        cut::cut(&self.model, size, self.work.tiles, self.budget)
    }

    /// Counts how many tiles there will be; a photograph that is turned has as many as one that is not.
    fn count_steps(&mut self) {
        for photo in &self.work.photos {
            let Ok((width, height)) = pixels::image_size(&photo.from) else {
                continue;
            };
            let size = (height as i64, width as i64);
            let cut = self.cut(size);
            let tiles = cut.pieces(size.0).len() * cut.pieces(size.1).len();
            let passes = 1 + usize::from(self.baseline(photo).is_some());
            self.steps.all += tiles * passes;
        }
    }

    /// From this place on nothing can be written: what was restored before it stays.
    fn none_from(&mut self, at: usize, error: &WorkError) {
        self.failed.push((at, error.clone()));
        let rest = at + 1..self.work.photos.len();
        let not_tried = error.clone().about("not tried");
        self.failed.extend(rest.map(|at| (at, not_tried.clone())));
    }

    /// Where the picture to compare with goes, and the way to it.
    fn baseline<'o>(&self, one: &'o Restored) -> Option<(&'o Path, Way)> {
        let path = one.compare.as_ref()?.baseline.as_deref()?;
        let way = match self.work.baseline.as_ref()? {
            Baseline::WithoutUnits => Way::WithoutUnits,
            Baseline::Other(_) => Way::Other,
        };
        Some((path, way))
    }

    /// What `work` comes to for a photograph. A panic (tch's, where memory runs out) costs that one alone. Of a GPU's memory
    /// nothing is known before it runs out: then it is done once more, in tiles, and so are all behind it.
    fn tried(
        &mut self,
        name: &str,
        work: impl Fn(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let caught = |run: &mut Self| {
            let caught = catch_unwind(AssertUnwindSafe(|| work(run)));
            caught.unwrap_or_else(|panic| Err(Failure::Photo(WorkError::of_panic(&*panic))))
        };
        let first = caught(self);
        let Err(Failure::Photo(error)) = &first else {
            return first;
        };
        if !error.is_out_of_gpu_memory() || self.budget == 0 || self.work.tiles != Tiles::Auto {
            return first;
        }
        self.budget = 0;
        let what = &error.clone().report().what.message;
        self.reporter
            .note(format!("{name}: {what}; once more, in tiles"));
        caught(self)
    }

    fn restore(&mut self, one: &Restored) -> Result<(), Failure> {
        let begin = Instant::now();
        let (photo, notes) = read_photo(&one.from)?;
        for note in notes {
            self.reporter.note(format!("{}: {note}", one.name));
        }
        let masks = masks(one, &photo)?;
        self.seconds.read += begin.elapsed().as_secs_f64();
        let size = photo.image.size();
        if let Some((path, way)) = self.baseline(one) {
            let picture = self.through(&photo.image, None, way)?;
            write_png(path, &picture.image).map_err(Failure::of_writing)?;
            self.seconds.baseline += picture.network;
        }
        let picture = self.through(&photo.image, masks.as_ref(), Way::Model)?;
        self.seconds.network += picture.network;
        self.seconds.around += picture.around;
        self.tiled.push(picture.tiles);
        drop(masks);
        let begin = Instant::now();
        let scale = self.model.scale() as usize;
        let alpha = photo.alpha.map(|alpha| larger_alpha(alpha, size, scale));
        if let Some(compare) = &one.compare {
            write_png(&compare.restored, &picture.image).map_err(Failure::of_writing)?;
        }
        let restored = Photo {
            image: picture.image,
            alpha: alpha.transpose()?,
            profile: photo.profile,
            exif: photo.exif,
        };
        write_photo(&one.to, &restored, form(self.work.form)).map_err(Failure::of_writing)?;
        self.seconds.write += begin.elapsed().as_secs_f64();
        Ok(())
    }

    /// A picture through a network.
    fn through(
        &mut self,
        image: &Rgb8,
        masks: Option<&MaskStack>,
        way: Way,
    ) -> Result<Picture, WorkError> {
        let cut = self.cut((image.height as i64, image.width as i64));
        let model = match (way, &self.other) {
            (Way::Other, Some(other)) => other,
            _ => &self.model,
        };
        let (reporter, steps) = (self.reporter, &mut self.steps);
        let mut step = || {
            steps.done += 1;
            reporter.progress(&Event::Progress {
                step: steps.done as u64,
                total: steps.all.max(steps.done) as u64,
                unit: "tile".into(),
                loss: None,
                psnr: None,
                images_per_second: None,
            });
            reporter.check_stop()
        };
        let is_plain = way == Way::WithoutUnits;
        picture::restored(model, is_plain, image, masks, &cut, &mut step)
    }

    fn facts(&self) -> FactMap {
        let Seconds {
            read,
            network,
            baseline,
            around,
            write,
        } = self.seconds;
        let seconds = json!({
            "read": read, "network": network, "baseline": baseline, "around": around, "write": write,
        });
        let failed = |(at, error): &(usize, WorkError)| {
            let what = error.clone().report().what;
            json!({"at": at, "message": what.message, "hint": what.hint})
        };
        FactMap::from([
            ("failed".into(), self.failed.iter().map(failed).collect()),
            ("seconds".into(), seconds),
            ("tiles".into(), json!(self.tiled)),
            ("is_local".into(), json!(self.model.reach().is_some())),
        ])
    }
}

/// The masks of a photograph, where the network reads any.
fn masks(one: &Restored, photo: &Photo) -> Result<Option<MaskStack>, WorkError> {
    let read = |path: &Path| -> Result<MaskStack, WorkError> {
        let stack = MaskStack::read(path)?;
        let (width, height) = photo.image.size();
        if (stack.width, stack.height) == (width, height) {
            return Ok(stack);
        }
        Err(WorkError::new(
            format!(
                "its masks are of {}×{} pixels, and it has {width}×{height}",
                stack.width, stack.height
            ),
            "masks are made of the photograph as it is, upright",
        ))
    };
    one.masks.as_deref().map(read).transpose()
}

/// The same format in the words of the crate that writes.
const fn form(form: Form) -> pixels::Form {
    match form {
        Form::Png => pixels::Form::Png,
        Form::Jpeg(quality) => pixels::Form::Jpeg(quality),
        Form::Webp => pixels::Form::Webp,
        Form::Tiff => pixels::Form::Tiff,
    }
}

#[cfg(test)]
mod tests;
