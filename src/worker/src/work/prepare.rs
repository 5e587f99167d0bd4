//! `prepare`: images of a folder become HR/LR pairs (METHOD: degradations).
//! Unaware of masks and networks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pixels::{Loaded, Rgb8, list_images, matlab_bicubic_u8, read_rgb8, write_png};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::{Degrade, Prepare};
use store::Digest;

use super::entry::FactMap;
use super::pairs::{PairEntry, PairList};
use super::{Reporter, WorkError, files};

/// Writes `pairs.json`, `hr/` and, for SR, `lq/`.
pub(super) fn run(config: &Prepare, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let images = chosen(config)?;
    files::make_folder(job.out.join("hr"))?;
    if matches!(config.degrade, Degrade::Sr(_)) {
        files::make_folder(job.out.join("lq"))?;
    }
    let done = AtomicUsize::new(0);
    let pairs: Vec<PairEntry> = images
        .par_iter()
        .map(|path| {
            reporter.check_stop()?;
            let entry = pair(config, path, &job.out)?;
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

/// The files of the folder that are wanted, in the order of their names; no two of them with one name.
fn chosen(config: &Prepare) -> Result<Vec<PathBuf>, WorkError> {
    let all = list_images(&config.images)?;
    let wanted = |path: &PathBuf| {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        config.only.is_empty() || config.only.contains(&name)
    };
    let images: Vec<PathBuf> = all.into_iter().filter(wanted).collect();
    for pair in images.windows(2) {
        if name_of(&pair[0]) == name_of(&pair[1]) {
            let message = format!(
                "`{}` and `{}` have one name",
                pair[0].display(),
                pair[1].display()
            );
            return Err(WorkError::new(
                message,
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

fn pair(config: &Prepare, path: &Path, out: &Path) -> Result<PairEntry, WorkError> {
    let Loaded { image, notes } = read_rgb8(path)?;
    let name = name_of(path);
    let digest = digest(&image);
    let (hr, lq) = match (config.degrade, config.lr_folder(Path::is_dir)) {
        (Degrade::Denoise(_), _) => (image, None),
        (Degrade::Sr(scale), None) => {
            let hr = mod_crop(&image, scale as usize, path)?;
            let lq = matlab_bicubic_u8(&hr, scale as usize);
            (hr, Some(lq))
        }
        (Degrade::Sr(scale), Some(folder)) => {
            let (hr, lq) = existing(&image, scale as usize, folder, path)?;
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

fn digest(image: &Rgb8) -> String {
    let size = [image.width as u64, image.height as u64].map(u64::to_le_bytes);
    Digest::of(&[size.concat().as_slice(), &image.data].concat()).to_string()
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

/// The LR image of the same name (with `x<scale>` behind it in most published sets), and the HR image cropped to it.
fn existing(
    image: &Rgb8,
    scale: usize,
    folder: &Path,
    path: &Path,
) -> Result<(Rgb8, Rgb8), WorkError> {
    let name = name_of(path);
    let wanted = [format!("{name}x{scale}"), name.clone()];
    let found = list_images(folder)?
        .into_iter()
        .find(|p| wanted.contains(&name_of(p)));
    let Some(lr_path) = found else {
        let message = format!(
            "there is no LR image for `{}` in `{}`",
            path.display(),
            folder.display()
        );
        return Err(WorkError::new(
            message,
            format!("it is called `{name}x{scale}.png` or `{name}.png`"),
        ));
    };
    let lr = read_rgb8(&lr_path)?.image;
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
