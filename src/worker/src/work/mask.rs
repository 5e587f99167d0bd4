//! `mask`: `N_c` masks for each LQ image (METHOD: masks).
//! Unaware of what the masks are for.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use pixels::{GraphConfig, MaskStack, Rgb8, Rle, graph_masks, read_masks};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::{Graph, Mask, Segmenter};

use super::entry::FactMap;
use super::masks::{MaskEntry, MaskList, Masks};
use super::pairs::Pairs;
use super::{Reporter, WorkError, files};

/// Writes `masks.json` and `masks/`.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let pairs = Pairs::open(files::input(job, "images")?)?;
    let maker = Maker::new(config, job, &pairs)?;
    files::make_folder(job.out.join("masks"))?;
    let total = pairs.list.pairs.len();
    let done = AtomicUsize::new(0);
    let images: Vec<MaskEntry> = (0..total)
        .into_par_iter()
        .map(|at| {
            reporter.check_stop()?;
            let entry = write(&maker.stack(at)?, &pairs.list.pairs[at].name, &job.out)?;
            reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Ok(entry)
        })
        .collect::<Result<_, WorkError>>()?;
    let list = MaskList {
        count: config.count(),
        images,
    };
    reporter.note(summary(&list));
    files::write_json(&job.out.join("masks.json"), &list)?;
    Ok(FactMap::from([(
        "masks_found_mean".into(),
        list.mean_found().into(),
    )]))
}

fn write(stack: &MaskStack, name: &str, out: &Path) -> Result<MaskEntry, WorkError> {
    let file = format!("masks/{name}.masks");
    stack.write(&out.join(&file))?;
    Ok(MaskEntry {
        name: name.to_owned(),
        file,
        found: stack.found,
        padded: stack.padded(),
        truncated: stack.truncated(),
    })
}

/// The counts in words: the paper says that most images have fewer masks than there is room for.
fn summary(list: &MaskList) -> String {
    let images = list.images.len();
    let padded = list.images.iter().filter(|i| i.padded > 0).count();
    let truncated = list.images.iter().filter(|i| i.truncated > 0).count();
    let found = |pick: fn(usize, usize) -> usize| {
        list.images
            .iter()
            .map(|i| i.found)
            .reduce(pick)
            .unwrap_or(0)
    };
    format!(
        "{:.1} distinct masks an image ({} to {}) for {} places; {padded} of {images} images padded, {truncated} truncated",
        list.mean_found(),
        found(usize::min),
        found(usize::max),
        list.count,
    )
}

struct Maker<'a> {
    config: &'a Mask,
    pairs: &'a Pairs,
    other: Option<Masks>,
}

impl<'a> Maker<'a> {
    fn new(config: &'a Mask, job: &Job, pairs: &'a Pairs) -> Result<Self, WorkError> {
        let other = match config.segmenter {
            Segmenter::Other { .. } => Some(Masks::open(
                files::input(job, "segmenter.other.masks")?,
                pairs,
            )?),
            _ => None,
        };
        if other.is_some() && pairs.list.pairs.len() < 2 {
            let message = "masks of another image need at least two images";
            return Err(WorkError::new(
                message,
                "add images, or use `segmenter: zero`",
            ));
        }
        Ok(Self {
            config,
            pairs,
            other,
        })
    }

    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        let (grid, count) = (self.config.grid(), self.config.count());
        let entry = &self.pairs.list.pairs[at];
        let (width, height) = (entry.width, entry.height);
        match (&self.config.segmenter, &self.other) {
            (Segmenter::Graph(graph), _) => Ok(graph_masks(
                &self.image(at)?,
                grid,
                count,
                &graph_config(graph),
            )),
            (Segmenter::Files { path }, _) => {
                let masks = read_masks(path, &entry.name, width, height)?;
                Ok(MaskStack::new(width, height, count, masks)?)
            }
            (Segmenter::Other { .. }, Some(other)) => {
                let next = other.stack((at + 1) % self.pairs.list.pairs.len())?;
                let masks = next
                    .masks
                    .iter()
                    .map(|m| fitted(m, width, height))
                    .collect::<Result<_, _>>()?;
                Ok(MaskStack::new(width, height, count, masks)?)
            }
            (Segmenter::Zero | Segmenter::Other { .. }, _) => {
                Ok(MaskStack::new(width, height, count, Vec::new())?)
            }
        }
    }

    fn image(&self, at: usize) -> Result<Rgb8, WorkError> {
        self.pairs.lq_8bit(at)
    }
}

fn graph_config(graph: &Graph) -> GraphConfig {
    let default = GraphConfig::default();
    GraphConfig {
        sigma: graph.sigma.unwrap_or(default.sigma),
        k: graph.k.unwrap_or(default.k),
        min_size: graph.min_size.map_or(default.min_size, |n| n as usize),
    }
}

/// A mask at another size, by the nearest pixel.
fn fitted(mask: &Rle, width: usize, height: usize) -> Result<Rle, WorkError> {
    let (from_w, from_h) = (mask.width(), mask.height());
    let bits = mask.to_bitmap();
    let mut out = vec![0; width * height];
    for y in 0..height {
        for x in 0..width {
            out[y * width + x] = bits[(y * from_h / height) * from_w + x * from_w / width];
        }
    }
    Ok(Rle::from_bitmap(&out, width, height)?)
}
