//! `prepare`: images of a folder become HR/LR pairs (METHOD: degradations).
//! Unaware of masks and networks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pixels::{Loaded, Rgb8, list_images, matlab_bicubic_u8, read_rgb8, write_png};
use rayon::prelude::*;
use spec::Job;
use spec::datasets::Source;
use spec::kinds::{Degrade, Prepare};
use store::Digest;

use super::entry::FactMap;
use super::pairs::{PairEntry, PairList};
use super::{Reporter, WorkError, files};

/// Writes `pairs.json`, `hr/` and, for SR, `lq/`.
pub(super) fn run(config: &Prepare, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let folders = opened(config)?;
    let images = chosen(config, &folders)?;
    files::make_folder(job.out.join("hr"))?;
    if matches!(config.degrade, Degrade::Sr(_)) {
        files::make_folder(job.out.join("lq"))?;
    }
    let done = AtomicUsize::new(0);
    let pairs: Vec<PairEntry> = images
        .par_iter()
        .map(|image| {
            reporter.check_stop()?;
            let entry = pair(config, image, &job.out)?;
            reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, images.len());
            Ok(entry)
        })
        .collect::<Result<_, WorkError>>()?;
    for entry in pairs.iter().filter(|p| !p.notes.is_empty()) {
        reporter.note(format!("{}: {}", entry.name, entry.notes.join(", ")));
    }
    let list = PairList {
        degrade: config.degrade,
        seed: config.seed,
        pairs,
    };
    files::write_json(&job.out.join("pairs.json"), &list)?;
    Ok(FactMap::from([("images".into(), list.pairs.len().into())]))
}

/// A folder that images come from.
struct Folder {
    source: Source,
    /// Its HR images.
    hr: Vec<PathBuf>,
    /// The LR images by name without ending, where the folder of them is there.
    lr: Option<BTreeMap<String, PathBuf>>,
}

/// An image that is wanted, and where it is from.
struct Wanted<'f> {
    path: &'f Path,
    folder: &'f Folder,
}

fn opened(config: &Prepare) -> Result<Vec<Folder>, WorkError> {
    let open = |source: Source| {
        let lr = source.lr.as_ref();
        let lr = lr.filter(|lr| source.needs_lr || lr.is_dir());
        let by_name = |paths: Vec<PathBuf>| paths.into_iter().map(|p| (name_of(&p), p)).collect();
        Ok(Folder {
            hr: list_images(&source.hr)?,
            lr: lr.map(|lr| list_images(lr).map(by_name)).transpose()?,
            source,
        })
    };
    config.sources().into_iter().map(open).collect()
}

/// The images that are wanted, in the order of their names; no two of them with one name.
fn chosen<'f>(config: &Prepare, folders: &'f [Folder]) -> Result<Vec<Wanted<'f>>, WorkError> {
    let wanted = |image: &Wanted| {
        let name = image.path.file_name().unwrap_or_default().to_string_lossy();
        let source = &image.folder.source;
        // Several data sets may share a folder: each image comes once, from the one that has it.
        source.dataset.is_none_or(|d| d.facts().has(&name))
            && config.reads("images", &source.hr, &name)
    };
    let all = folders.iter().flat_map(|folder| {
        let paths = folder.hr.iter();
        paths.map(move |path| Wanted { path, folder })
    });
    let mut images: Vec<Wanted> = all.filter(wanted).collect();
    images.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()));
    let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
    for image in &images {
        if let Some(other) = seen.insert(name_of(image.path), image.path) {
            let (a, b) = (other.display(), image.path.display());
            return Err(WorkError::new(
                format!("`{a}` and `{b}` have one name"),
                "rename one: results are told apart by the name without ending",
            ));
        }
    }
    Ok(images)
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn pair(config: &Prepare, wanted: &Wanted<'_>, out: &Path) -> Result<PairEntry, WorkError> {
    let path = wanted.path;
    let Loaded { image, notes } = read_rgb8(path)?;
    let name = name_of(path);
    let digest = Digest::of_image(image.width, image.height, &image.data).to_string();
    let (hr, lq) = match (config.degrade, &wanted.folder.lr) {
        (Degrade::Denoise(_), _) => (image, None),
        (Degrade::Sr(scale), None) => {
            let hr = mod_crop(&image, scale as usize, path)?;
            let lq = matlab_bicubic_u8(&hr, scale as usize);
            (hr, Some(lq))
        }
        (Degrade::Sr(scale), Some(lr)) => {
            let lr = lr_of(path, scale as usize, lr, wanted.folder)?;
            let (hr, lq) = existing(&image, scale as usize, lr, path)?;
            (hr, Some(lq))
        }
    };
    let (width, height) = lq
        .as_ref()
        .map_or((hr.width, hr.height), |l| (l.width, l.height));
    let hr_name = format!("hr/{name}.png");
    write_png(&out.join(&hr_name), &hr)?;
    let lq_name = lq.as_ref().map(|_| format!("lq/{name}.png"));
    if let (Some(lq), Some(lq_name)) = (&lq, &lq_name) {
        write_png(&out.join(lq_name), lq)?;
    }
    let notes = notes.iter().map(ToString::to_string).collect();
    Ok(PairEntry {
        name,
        hr: hr_name,
        lq: lq_name,
        width,
        height,
        digest,
        notes,
    })
}

fn mod_crop(image: &Rgb8, scale: usize, path: &Path) -> Result<Rgb8, WorkError> {
    if image.width < scale || image.height < scale {
        let message = format!(
            "`{}` is {}×{}, too small for ×{scale}",
            path.display(),
            image.width,
            image.height
        );
        return Err(WorkError::new(message, "remove it from the folder"));
    }
    Ok(image.mod_crop(scale)?)
}

/// The LR image of the same name, with `x<scale>` behind it in most published sets.
fn lr_of<'l>(
    path: &Path,
    scale: usize,
    lr: &'l BTreeMap<String, PathBuf>,
    folder: &Folder,
) -> Result<&'l Path, WorkError> {
    let name = name_of(path);
    let found = lr.get(&format!("{name}x{scale}")).or_else(|| lr.get(&name));
    found.map(PathBuf::as_path).ok_or_else(|| {
        let lr = folder.source.lr.as_deref().unwrap_or(Path::new(""));
        let (image, lr) = (path.display(), lr.display());
        let message = format!("there is no LR image for `{image}` in `{lr}`");
        let hint = format!("it is called `{name}x{scale}.png` or `{name}.png`");
        WorkError::new(message, hint)
    })
}

/// The LR image, and the HR image cropped to it.
fn existing(
    image: &Rgb8,
    scale: usize,
    lr_path: &Path,
    path: &Path,
) -> Result<(Rgb8, Rgb8), WorkError> {
    let lr = read_rgb8(lr_path)?.image;
    let (width, height) = (lr.width * scale, lr.height * scale);
    if image.width < width
        || image.height < height
        || image.width >= width + scale
        || image.height >= height + scale
    {
        let message = format!(
            "`{}` is {}×{} and `{}` {}×{}: not ×{scale}",
            path.display(),
            image.width,
            image.height,
            lr_path.display(),
            lr.width,
            lr.height
        );
        return Err(WorkError::new(
            message,
            "use the LR folder of this scale, or none to have it made",
        ));
    }
    Ok((image.crop(0, 0, width, height)?, lr))
}
