//! Segmenters without a network: graph segmentation, files of others, and the controls.
//! Unaware of what the masks are for.

use std::sync::atomic::{AtomicUsize, Ordering};

use pixels::{GraphConfig, MaskStack, Rle, graph_masks, read_masks};
use rayon::prelude::*;
use spec::Job;
use spec::kinds::{Graph, Mask, Segmenter};

use super::images::Images;
use super::output;
use crate::work::entry::FactMap;
use crate::work::masks::{MaskEntry, Masks};
use crate::work::{Reporter, WorkError, files};

/// The masks of all images, an image a thread.
pub(super) fn run(config: &Mask, job: &Job, reporter: &Reporter) -> Result<FactMap, WorkError> {
    let images = Images::open(files::input(job, "images")?, config.of)?;
    let maker = Maker::new(config, job, &images)?;
    output::begin(job)?;
    let total = images.len();
    let done = AtomicUsize::new(0);
    let entries: Vec<MaskEntry> = (0..total)
        .into_par_iter()
        .map(|at| {
            reporter.check_stop()?;
            let entry = output::write(job, images.entry(at), &maker.stack(at)?)?;
            reporter.images(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Ok(entry)
        })
        .collect::<Result<_, WorkError>>()?;
    output::finish(job, config.count(), entries, reporter)
}

struct Maker<'a> {
    config: &'a Mask,
    images: &'a Images,
    other: Option<Masks>,
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
        Ok(Self {
            config,
            images,
            other,
        })
    }

    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        let (grid, count) = (self.config.grid(), self.config.count());
        let (width, height) = self.images.size(at);
        match (&self.config.segmenter, &self.other) {
            (Segmenter::Graph(graph), _) => Ok(graph_masks(
                &self.images.image(at)?,
                grid,
                count,
                &graph_config(graph),
            )),
            (Segmenter::Files { path }, _) => {
                let masks = read_masks(path, self.images.name(at), width, height)?;
                Ok(MaskStack::new(width, height, count, masks)?)
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
