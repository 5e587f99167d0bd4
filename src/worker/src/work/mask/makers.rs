//! Segmenters without a network: graph segmentation, files of others, and the controls.
//! Unaware of what the masks are for.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifacts::MaskEntry;
use pixels::{
    GRAPH_BYTES, GRAPH_EDGES, GraphConfig, GraphSegmenter, MaskFolder, MaskRead, MaskStack,
    Reading, Rle, check_memory, memory_budget,
};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::{Graph, Mask, Segmenter};
use spec::names::MaskReading;

use super::images::Images;
use super::output;
use crate::work::facts::FactMap;
use crate::work::masks::Masks;
use crate::work::{Reporter, WorkError, files, memory};

/// The masks of all images, an image a thread.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let images = Images::open(files::input(job, "images")?, config.of)?;
    let maker = Maker::new(config, job, &images)?;
    output::begin(job)?;
    let total = images.len();
    let done = AtomicUsize::new(0);
    let one = |at: usize| -> Result<MaskEntry, WorkError> {
        reporter.check_stop()?;
        let entry = output::write(job, images.entry(at), &maker.stack(at, reporter)?)?;
        reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        Ok(entry)
    };
    let mut entries: Vec<MaskEntry> = Vec::new();
    // Images that would not fit into memory side by side are segmented in smaller groups.
    for group in groups(&images, &config.segmenter)? {
        let group: Vec<MaskEntry> = group.into_par_iter().map(one).collect::<Result<_, _>>()?;
        entries.extend(group);
    }
    maker.say(reporter);
    output::finish(job, config.count(), entries, reporter)
}

struct Maker<'a> {
    config: &'a Mask,
    images: &'a Images,
    other: Option<Masks>,
    files: Option<MaskFolder>,
    /// Mask files with losses, which were divided at half.
    halved: AtomicUsize,
}

impl<'a> Maker<'a> {
    fn new(config: &'a Mask, job: &Job, images: &'a Images) -> Result<Self, WorkError> {
        let other = match config.segmenter {
            Segmenter::Other { .. } => Some(Masks::open(
                files::input(job, "segmenter.other.masks")?,
                &images.pairs,
            )?),
            _ => None,
        };
        if other.is_some() && images.len() < 2 {
            let message = "masks of another image need at least two images";
            return Err(WorkError::new(
                message,
                "add images, or use `segmenter: zero`",
            ));
        }
        let files = match &config.segmenter {
            Segmenter::Files { path, .. } => Some(MaskFolder::open(path)?),
            _ => None,
        };
        Ok(Self {
            config,
            images,
            other,
            files,
            halved: AtomicUsize::new(0),
        })
    }

    /// What is to be known of the files that were read.
    fn say(&self, reporter: &Reporter) {
        let (Segmenter::Files { path, .. }, Some(files)) = (&self.config.segmenter, &self.files)
        else {
            return;
        };
        if let Some(left) = files.left.said(path) {
            reporter.note(left);
        }
        let halved = self.halved.load(Ordering::Relaxed);
        if halved > 0 {
            let files = if halved == 1 {
                "1 mask file is".into()
            } else {
                format!("{halved} mask files are")
            };
            reporter.note(format!(
                "{files} stored with losses (JPEG): inside is what is at least half as bright as white; `read:` beside \
                 `path` chooses otherwise"
            ));
        }
    }

    fn stack(&self, at: usize, reporter: &Reporter) -> Result<MaskStack, WorkError> {
        let (grid, count) = (self.config.grid(), self.config.count());
        let (width, height) = self.images.size(at);
        match (&self.config.segmenter, &self.other) {
            (Segmenter::Graph(graph), _) => {
                let image = self.images.image(at)?;
                let stop = || reporter.stopping();
                match GraphSegmenter::until(&image, &graph_config(graph), &stop) {
                    Some(segmenter) => Ok(segmenter.masks(grid, count)),
                    None => Err(reporter.check_stop().err().unwrap_or_else(unknown_stop)),
                }
            }
            (Segmenter::Files { read, .. }, _) => {
                let Some(files) = &self.files else {
                    return Ok(MaskStack::new(width, height, count, Vec::new())?);
                };
                let read = files.read(self.images.name(at), (width, height), reading(*read))?;
                self.halved.fetch_add(read.halved, Ordering::Relaxed);
                Ok(MaskStack::new(width, height, count, read.masks)?)
            }
            (Segmenter::Other { .. }, Some(other)) => {
                let next = other.stack((at + 1) % self.images.len())?;
                let masks = next
                    .masks
                    .iter()
                    .map(|m| fitted(m, width, height))
                    .collect::<Result<_, _>>()?;
                Ok(MaskStack::new(width, height, count, masks)?)
            }
            // SAM's stages take the other way (`super::run`).
            (Segmenter::Zero | Segmenter::Other { .. } | Segmenter::Sam(_), _) => {
                Ok(MaskStack::new(width, height, count, Vec::new())?)
            }
        }
    }
}

/// Consecutive images that may be worked on at once. Errors: where one alone takes too much memory.
fn groups(images: &Images, segmenter: &Segmenter) -> Result<Vec<Range<usize>>, WorkError> {
    let (bytes, edges) = match segmenter {
        Segmenter::Graph(_) => (GRAPH_BYTES, GRAPH_EDGES),
        _ => (2, 0),
    };
    for at in 0..images.len() {
        let what = format!("segmenting `{}`", images.name(at));
        check_memory(&what, images.size(at), bytes)?;
    }
    let need = |at: usize| {
        let (width, height) = images.size(at);
        let pixels = (width as u64) * (height as u64);
        // There are four edges of eight bytes a pixel, and no more of them are held than for a large image.
        pixels * bytes + edges.min(pixels * 4 * 8)
    };
    Ok(memory::groups((0..images.len()).map(need), memory_budget()))
}

/// A stop that nobody asked for any more.
fn unknown_stop() -> WorkError {
    WorkError::interrupted("asked to stop")
}

/// The same choice in the words of the crate that reads.
fn reading(wanted: Option<MaskReading>) -> MaskRead {
    match wanted {
        None => MaskRead::Auto,
        Some(MaskReading::Nonzero) => MaskRead::By(Reading::Nonzero),
        Some(MaskReading::Half) => MaskRead::By(Reading::Half),
        Some(MaskReading::Alpha) => MaskRead::By(Reading::Alpha),
        Some(MaskReading::Index) => MaskRead::By(Reading::Index),
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
