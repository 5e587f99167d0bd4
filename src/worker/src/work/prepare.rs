//! `prepare`: images of a folder become HR/LR pairs (METHOD: degradations).
//! Unaware of masks and networks, and of how an LR image is named (`partners`).
//!
//! ```text
//!   folders ─> the images of each (the same list that is in the key) ─> wanted ones, by name
//!     └─> LR folder? ─> a partner for each ─┐
//!                                           └─> read (`outside`), cropped or scaled down ─> hr/, lq/, pairs.json
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifacts::{PairEntry, PairList};
use pixels::{
    ImageFile, Loaded, Note, Rgb8, image_size_by, list_images, matlab_bicubic_u8, memory_budget,
    read_rgb8_by, write_png,
};
use rayon::prelude::*;
use spec::Job;
use spec::datasets::Source;
use spec::kinds::{Degrade, Prepare};
use store::Digest;

use super::facts::FactMap;
use super::outside::Reader;
use super::partners::LrImages;
use super::{Reporter, WorkError, files, memory};

/// Writes `pairs.json`, `hr/` and, for SR, `lq/`.
pub(super) fn run(config: &Prepare, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let folders = opened(config, reporter)?;
    let images = chosen(&folders)?;
    files::make_folder(job.out.join("hr"))?;
    if matches!(config.degrade, Degrade::Sr(_)) {
        files::make_folder(job.out.join("lq"))?;
    }
    let done = AtomicUsize::new(0);
    let reader = Reader::new(&job.outside);
    let one = |image: &Wanted<'_>| {
        reporter.check_stop()?;
        let entry = pair(config, image, reader, &job.out)?;
        reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, images.len());
        Ok(entry)
    };
    let mut pairs: Vec<(PairEntry, Vec<Note>)> = Vec::new();
    // Images that would not fit into memory side by side are read in smaller groups.
    let need = |image: &Wanted<'_>| need(image, reader);
    let needs = images.par_iter().map(need);
    let needs = needs.collect::<Result<Vec<u64>, WorkError>>()?;
    for group in memory::groups(needs.into_iter(), memory_budget()) {
        let group: Vec<_> = images[group]
            .par_iter()
            .map(one)
            .collect::<Result<_, WorkError>>()?;
        pairs.extend(group);
    }
    for ((entry, of_lr), wanted) in pairs.iter().zip(&images) {
        if !entry.notes.is_empty() {
            reporter.note(format!("{}: {}", entry.name, entry.notes.join(", ")));
        }
        if let (false, Some(lr)) = (of_lr.is_empty(), &wanted.lr) {
            let notes: Vec<String> = of_lr.iter().map(ToString::to_string).collect();
            reporter.note(format!("LR image {}: {}", lr.name, notes.join(", ")));
        }
    }
    let list = PairList {
        degrade: config.degrade,
        seed: config.seed,
        pairs: pairs.into_iter().map(|(entry, _)| entry).collect(),
    };
    list.write(&job.out)?;
    Ok(FactMap::from([("images".into(), list.pairs.len().into())]))
}

/// A folder that images come from.
struct Folder {
    /// Its HR images that are wanted.
    hr: Vec<ImageFile>,
    /// The LR images, where the folder of them is there.
    lr: Option<LrImages>,
}

/// An image that is wanted, and its LR image.
struct Wanted<'f> {
    hr: &'f ImageFile,
    lr: Option<&'f ImageFile>,
}

fn opened(config: &Prepare, reporter: &Reporter) -> Result<Vec<Folder>, WorkError> {
    let list = |path: &Path| -> Result<Vec<ImageFile>, WorkError> {
        let listed = list_images(path, config.recursive)?;
        if let Some(left) = listed.left.said(path) {
            reporter.note(left);
        }
        Ok(listed.files)
    };
    let open = |source: Source| {
        let mut hr = list(&source.hr)?;
        hr.retain(|image| is_wanted(config, &source, image));
        let lr = source.lr.as_ref();
        let lr = match (
            lr.filter(|lr| source.needs_lr || lr.is_dir()),
            config.degrade,
        ) {
            (Some(lr), Degrade::Sr(scale)) => {
                let shown = ::files::Name(lr).to_string();
                let template = config.names.as_deref();
                Some(LrImages::new(list(lr)?, shown, scale, template))
            }
            _ => None,
        };
        Ok(Folder { hr, lr })
    };
    config.sources().into_iter().map(open).collect()
}

/// Several data sets may share a folder: each image comes once, from the one that has it.
fn is_wanted(config: &Prepare, source: &Source, image: &ImageFile) -> bool {
    let name = &image.name;
    source.dataset.is_none_or(|d| d.facts().has(name))
        && config.is_wanted("images", &source.hr, name)
}

/// The images that are wanted, in the order of their names; no two of them with one name.
fn chosen(folders: &[Folder]) -> Result<Vec<Wanted<'_>>, WorkError> {
    let mut images = Vec::new();
    for folder in folders {
        let hr: Vec<&ImageFile> = folder.hr.iter().collect();
        let partners = folder.lr.as_ref().map(|lr| lr.partners(&hr)).transpose()?;
        for (at, hr) in hr.into_iter().enumerate() {
            let lr = partners.as_ref().map(|partners| partners[at]);
            images.push(Wanted { hr, lr });
        }
    }
    images.sort_by(|a, b| a.hr.name.cmp(&b.hr.name));
    let mut seen: BTreeMap<String, &ImageFile> = BTreeMap::new();
    for image in &images {
        if let Some(other) = seen.insert(image.hr.title(), image.hr) {
            let (a, b) = (::files::Name(&other.path), ::files::Name(&image.hr.path));
            return Err(WorkError::new(
                format!("`{a}` and `{b}` have one name"),
                "rename one: results are told apart by the name without ending",
            ));
        }
    }
    Ok(images)
}

/// Bytes for each pixel of an image: the samples as they are stored, 8-bit RGB, a crop of it, the LR image, a PNG.
const PIXEL_BYTES: u64 = 24;

/// The memory that a pair takes, by the headers of its files.
fn need(wanted: &Wanted<'_>, reader: Reader<'_>) -> Result<u64, WorkError> {
    let mut bytes = 0;
    for file in std::iter::once(wanted.hr).chain(wanted.lr) {
        let (width, height) = image_size_by(&|path, most| reader.read(path, most), &file.path)?;
        bytes += (width as u64) * (height as u64) * PIXEL_BYTES;
    }
    Ok(bytes)
}

fn pair(
    config: &Prepare,
    wanted: &Wanted<'_>,
    reader: Reader<'_>,
    out: &Path,
) -> Result<(PairEntry, Vec<Note>), WorkError> {
    let read = |path: &Path| read_rgb8_by(&|path, most| reader.read(path, most), path);
    let path = &wanted.hr.path;
    let Loaded { image, notes } = read(path)?;
    let name = wanted.hr.title();
    let digest = Digest::of_image(image.width, image.height, &image.data).to_string();
    let mut of_lr = Vec::new();
    let (hr, lq) = match (config.degrade, wanted.lr) {
        (Degrade::Denoise(_), _) => (image, None),
        (Degrade::Sr(scale), None) => {
            let hr = mod_crop(&image, scale as usize, path)?;
            let lq = matlab_bicubic_u8(&hr, scale as usize);
            (hr, Some(lq))
        }
        (Degrade::Sr(scale), Some(lr)) => {
            let loaded = read(&lr.path)?;
            of_lr = loaded.notes;
            let hr = cropped(&image, scale as usize, &loaded.image, [path, &lr.path])?;
            (hr, Some(loaded.image))
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
    let entry = PairEntry {
        name,
        hr: hr_name,
        lq: lq_name,
        width,
        height,
        digest,
        notes,
    };
    Ok((entry, of_lr))
}

fn mod_crop(image: &Rgb8, scale: usize, path: &Path) -> Result<Rgb8, WorkError> {
    if image.width < scale || image.height < scale {
        let message = format!(
            "`{}` is {}×{}, too small for ×{scale}",
            ::files::Name(path),
            image.width,
            image.height
        );
        return Err(WorkError::new(message, "remove it from the folder"));
    }
    Ok(image.mod_crop(scale)?)
}

/// The HR image cropped to what its LR image shows.
fn cropped(
    image: &Rgb8,
    scale: usize,
    lr: &Rgb8,
    [path, lr_path]: [&Path; 2],
) -> Result<Rgb8, WorkError> {
    let (width, height) = (lr.width * scale, lr.height * scale);
    if image.width < width
        || image.height < height
        || image.width >= width + scale
        || image.height >= height + scale
    {
        let message = format!(
            "`{}` is {}×{} and `{}` {}×{}: not ×{scale}",
            ::files::Name(path),
            image.width,
            image.height,
            ::files::Name(lr_path),
            lr.width,
            lr.height
        );
        return Err(WorkError::new(
            message,
            "use the LR folder of this scale, or none to have it made",
        ));
    }
    Ok(image.crop(0, 0, width, height)?)
}
