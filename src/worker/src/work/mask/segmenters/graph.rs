//! `segmenter: graph`, by the graph segmentation of `pixels`.
//! Unaware of files.

use pixels::{GRAPH_BYTES, GRAPH_EDGES, GraphConfig, GraphSegmenter, MaskStack};
use spec::segmenters::Graph;

use super::stage::{Segment, Stage};
use crate::work::WorkError;

pub(super) struct Maker<'a> {
    config: GraphConfig,
    stage: &'a Stage<'a>,
}

impl<'a> Maker<'a> {
    pub fn new(graph: &Graph, stage: &'a Stage<'a>) -> Self {
        let default = GraphConfig::default();
        let config = GraphConfig {
            sigma: graph.sigma.unwrap_or(default.sigma),
            k: graph.k.unwrap_or(default.k),
            min_size: graph.min_size.map_or(default.min_size, |n| n as usize),
        };
        Self { config, stage }
    }
}

impl Segment for Maker<'_> {
    fn memory(&self) -> (u64, u64) {
        (GRAPH_BYTES, GRAPH_EDGES)
    }

    fn stack(&self, at: usize) -> Result<MaskStack, WorkError> {
        let Stage {
            config,
            images,
            reporter,
            ..
        } = self.stage;
        let image = images.image(at)?;
        let stop = || reporter.stopping();
        match GraphSegmenter::until(&image, &self.config, &stop) {
            Some(segmenter) => Ok(segmenter.masks(config.grid(), config.count())),
            None => Err(reporter.check_stop().err().unwrap_or_else(unknown_stop)),
        }
    }
}

/// A stop that nobody asked for any more.
fn unknown_stop() -> WorkError {
    WorkError::interrupted("asked to stop")
}
