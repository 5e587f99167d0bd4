//! The images of a set: the numbers of its evaluations, and the pictures that were kept.
//! Unaware of how they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use artifacts::{ArtifactError, MaskList, Metrics, PairEntry, PairList};
use pixels::{Rgb8, memory_budget, noisy_chw_f32, read_rgb8, score};
use rayon::prelude::*;
use serde::Serialize;
use spec::kinds::Degrade;
use spec::metrics::Metric;

use crate::pictures::{self, Files};
use crate::{Method, PageError, Set, Shelf};

/// Images of a set with pictures in the page; of more, those that gain most and least and those in the middle.
const MOST: usize = 120;

/// A set as the page's script has it.
#[derive(Serialize)]
pub struct Shown<'a> {
    name: &'a str,
    /// Pixels of GT per pixel of LQ along a side.
    scale: u32,
    noise: bool,
    images: Vec<String>,
    /// By number of the image.
    pics: BTreeMap<usize, Pics>,
    pub methods: Vec<ShownMethod<'a>>,
    masks: Vec<ShownMasks<'a>>,
}

/// The pictures of an image; files without their folder and ending.
#[derive(Serialize)]
struct Pics {
    width: usize,
    height: usize,
    gt: Option<String>,
    lq: String,
    thumb: String,
    detail: f64,
}

/// An evaluation.
#[derive(Serialize)]
pub struct ShownMethod<'a> {
    name: &'a str,
    stage: &'a str,
    key: &'a str,
    baseline: bool,
    #[serde(skip_serializing_if = "is_own")]
    other: bool,
    masks: Option<&'a str>,
    /// By metric, and then by image.
    values: BTreeMap<&'static str, Vec<Option<f64>>>,
    files: BTreeMap<usize, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_own(other: &bool) -> bool {
    !*other
}

/// Masks.
#[derive(Serialize)]
struct ShownMasks<'a> {
    stage: &'a str,
    found: Vec<Option<usize>>,
    files: BTreeMap<usize, String>,
}

/// Reads a set, and writes its pictures.
pub fn read<'a>(set: &'a Set, files: &mut Files<'_>) -> Result<Shown<'a>, PageError> {
    let list = PairList::read(&set.folder)?;
    let measured = set.methods.iter().map(|m| {
        if set.blind {
            return Ok(Metrics::default());
        }
        Metrics::read(&m.folder)
    });
    let measured = measured.collect::<Result<Vec<_>, ArtifactError>>()?;
    let images = match measured.first() {
        Some(first) if !set.blind => first.images.clone(),
        _ => list.pairs.iter().map(|p| p.name.clone()).collect(),
    };
    let pairs: BTreeMap<&str, &PairEntry> =
        list.pairs.iter().map(|p| (p.name.as_str(), p)).collect();
    let mut methods: Vec<ShownMethod<'_>> = set
        .methods
        .iter()
        .zip(&measured)
        .map(|(method, measured)| numbers(method, measured, &images))
        .collect();
    let kept = kept(set, &images, &pairs);
    let chosen = chosen(&kept, &methods);
    let pics = write(set, &list, &images, &chosen, &pairs, files)?;
    for (method, shown) in set.methods.iter().zip(&mut methods) {
        let named = chosen.iter().map(|at| (*at, file(&method.key, *at)));
        let written = named.filter(|(_, name)| files.has(&pictures::script(name)));
        shown.files = written.collect();
    }
    Ok(Shown {
        name: &set.name,
        scale: list.degrade.scale(),
        noise: matches!(list.degrade, Degrade::Denoise(_) | Degrade::Sr(1)),
        masks: masks(set, &images, &chosen, files)?,
        images: if set.titles.len() == images.len() {
            set.titles.clone()
        } else {
            images
        },
        pics,
        methods,
    })
}

/// The values of an evaluation as they count, to six decimals.
fn numbers<'a>(method: &'a Method, measured: &Metrics, images: &[String]) -> ShownMethod<'a> {
    let of = |metric: &str| {
        let by_image = measured.by_image(metric);
        let value = |name: &String| {
            let value = by_image.get(name).and_then(|v| score::counted(metric, *v));
            let value = value.filter(|v| v.is_finite());
            value.map(|v| (v * 1e6).round() / 1e6)
        };
        images.iter().map(value).collect()
    };
    let metrics = Metric::ALL.iter().map(|metric| metric.as_str());
    let metrics = metrics.filter(|metric| measured.values.contains_key(*metric));
    ShownMethod {
        name: &method.name,
        stage: &method.stage,
        key: &method.key,
        baseline: method.baseline,
        other: method.other,
        masks: method.masks.as_deref(),
        values: metrics.map(|metric| (metric, of(metric))).collect(),
        files: BTreeMap::new(),
    }
}

fn restored(method: &Method, image: &str) -> PathBuf {
    method.folder.join("restored").join(format!("{image}.png"))
}

/// The file in `img/` of an image by what made it: the same name never has other bytes.
fn file(key: &str, at: usize) -> String {
    format!("{}-{at}", &key[..key.len().min(16)])
}

/// The images of which an evaluation kept its result.
fn kept(set: &Set, images: &[String], pairs: &BTreeMap<&str, &PairEntry>) -> Vec<usize> {
    let saving: Vec<&Method> = set
        .methods
        .iter()
        .filter(|m| m.folder.join("restored").is_dir())
        .collect();
    let is_kept = |at: &usize| {
        let name = &images[*at];
        pairs.contains_key(name.as_str()) && saving.iter().any(|m| restored(m, name).is_file())
    };
    (0..images.len()).filter(is_kept).collect()
}

/// At most [`MOST`] of them: by the gain of the first evaluation that is no baseline.
fn chosen(kept: &[usize], methods: &[ShownMethod<'_>]) -> BTreeSet<usize> {
    if kept.len() <= MOST {
        return kept.iter().copied().collect();
    }
    let psnr = |baseline: bool| {
        methods
            .iter()
            .find(|m| m.baseline == baseline)
            .and_then(|m| m.values.get(Metric::Psnr.as_str()))
    };
    let value = |of: Option<&Vec<Option<f64>>>, at: usize| of.and_then(|v| v[at]).unwrap_or(0.0);
    let gain = |at: usize| value(psnr(false), at) - value(psnr(true), at);
    let mut order = kept.to_vec();
    order.sort_by(|a, b| gain(*b).total_cmp(&gain(*a)));
    let third = MOST / 3;
    let middle = order.len() / 2 - third / 2;
    let ends = order[..third].iter().chain(&order[order.len() - third..]);
    ends.chain(&order[middle..middle + third])
        .copied()
        .collect()
}

/// Writes the pictures of the chosen images.
fn write(
    set: &Set,
    list: &PairList,
    images: &[String],
    chosen: &BTreeSet<usize>,
    pairs: &BTreeMap<&str, &PairEntry>,
    files: &mut Files<'_>,
) -> Result<BTreeMap<usize, Pics>, PageError> {
    let shelf = files.shelf();
    let one = |at: &usize| -> Result<(usize, Pics, Vec<String>), PageError> {
        let name = &images[*at];
        let (pics, mut names) = sources(set, list, pairs[name.as_str()], *at, shelf)?;
        for method in &set.methods {
            let from = restored(method, name);
            if from.is_file() {
                let to = file(&method.key, *at);
                match pictures::picture(shelf, &to, &from) {
                    Ok(()) => names.push(pictures::script(&to)),
                    Err(error) if error.is_of_page() || !method.other => return Err(error),
                    Err(_) => {} // damaged, and of another run: this one's page does without
                }
            }
        }
        Ok((*at, pics, names))
    };
    let mut largest = 1;
    for at in chosen {
        largest = largest.max(bytes(set, list, pairs[images[*at].as_str()])?);
    }
    let at_once = usize::try_from(memory_budget() / largest).unwrap_or(usize::MAX);
    let chosen: Vec<&usize> = chosen.iter().collect();
    let mut pics = BTreeMap::new();
    for group in chosen.chunks(at_once.max(1)) {
        let all = group
            .into_par_iter()
            .copied()
            .map(one)
            .collect::<Result<Vec<_>, _>>()?;
        for (at, own, names) in all {
            for name in names {
                files.keep(name);
            }
            pics.insert(at, own);
        }
    }
    Ok(pics)
}

/// Bytes that a pixel of a picture takes while it is written: its samples, its file, and that as a text.
const BYTES: u64 = 3 + 4 + 5;

/// What the largest picture of an image takes.
fn bytes(set: &Set, list: &PairList, pair: &PairEntry) -> Result<u64, PageError> {
    let (width, height) = pixels::image_size(&set.folder.join(&pair.hr))?;
    let scale = if set.blind { list.degrade.scale() } else { 1 };
    let pixels = (width as u64).saturating_mul(height as u64);
    Ok(pixels.saturating_mul(u64::from(scale).pow(2) * BYTES))
}

/// GT and LQ of an image, and its thumbnail, with the names of their files.
fn sources(
    set: &Set,
    list: &PairList,
    pair: &PairEntry,
    at: usize,
    shelf: &dyn Shelf,
) -> Result<(Pics, Vec<String>), PageError> {
    let gt = format!("{}-gt", file(&set.key, at));
    let lq = format!("{}-lq", file(&set.key, at));
    let thumb = format!("{}.png", file(&set.key, at));
    let hr = set.folder.join(&pair.hr);
    if !set.blind {
        pictures::picture(shelf, &gt, &hr)?;
    }
    let small = low(set, list, pair)?;
    match &pair.lq {
        Some(own) => pictures::picture(shelf, &lq, &set.folder.join(own))?,
        None => pictures::drawn(shelf, &lq, &small)?,
    }
    let thumbnail = format!("img/{thumb}");
    if !shelf.has(&thumbnail) {
        let bytes = pixels::encode_png(&pictures::thumbnail(&small))?;
        pictures::put(shelf, &thumbnail, &bytes)?;
    }
    let mut names = vec![pictures::script(&lq), thumbnail];
    let (width, height) = if set.blind {
        let scale = list.degrade.scale() as usize;
        (small.width * scale, small.height * scale)
    } else {
        names.push(pictures::script(&gt));
        pixels::image_size(&hr)?
    };
    let pics = Pics {
        width,
        height,
        gt: (!set.blind).then_some(gt),
        lq,
        thumb,
        detail: (pictures::detail(&small) * 1e3).round() / 1e3,
    };
    Ok((pics, names))
}

/// The LQ image in 8 bits; with noise the noisy image, clipped.
fn low(set: &Set, list: &PairList, pair: &PairEntry) -> Result<Rgb8, PageError> {
    match (&pair.lq, list.degrade) {
        (Some(file), _) => Ok(read_rgb8(&set.folder.join(file))?.image),
        (None, Degrade::Denoise(sigma)) => {
            let hr = read_rgb8(&set.folder.join(&pair.hr))?.image;
            let noisy = noisy_chw_f32(&hr, sigma, list.seed);
            Ok(Rgb8::from_chw_f32(&noisy, hr.width, hr.height)?)
        }
        (None, Degrade::Sr(_)) => Err(PageError::Read {
            path: PairList::path(&set.folder),
            why: format!("`{}` has no LR image", pair.name),
        }),
    }
}

/// How many masks each image has, and those of the chosen ones.
fn masks<'a>(
    set: &'a Set,
    images: &[String],
    chosen: &BTreeSet<usize>,
    files: &mut Files<'_>,
) -> Result<Vec<ShownMasks<'a>>, PageError> {
    let mut shown = Vec::new();
    for masks in &set.masks {
        let list = MaskList::read(&masks.folder)?;
        let entries: BTreeMap<&str, _> = list.images.iter().map(|e| (e.name.as_str(), e)).collect();
        let found = images
            .iter()
            .map(|name| entries.get(name.as_str()).map(|e| e.found));
        let mut own = BTreeMap::new();
        for at in chosen {
            if let Some(entry) = entries.get(images[*at].as_str()) {
                let to = file(&masks.key, *at);
                pictures::masks(files.shelf(), &to, &masks.folder.join(&entry.file))?;
                files.keep(pictures::script(&to));
                own.insert(*at, to);
            }
        }
        shown.push(ShownMasks {
            stage: &masks.stage,
            found: found.collect(),
            files: own,
        });
    }
    Ok(shown)
}
