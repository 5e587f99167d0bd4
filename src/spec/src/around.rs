//! A stage among the others: what a kind may ask about the stages that it reads.
//! Unaware of the kinds, which know it, and of results: only what the file says is known here.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::backbones::Architecture;
use crate::edge::Edge;
use crate::kinds::{Degrade, Network};
use crate::labels::Labels;
use crate::names::PairImage;

/// A list of stages, whether checked already or not, by index.
pub trait Stages {
    /// The stage's name.
    fn name(&self, at: usize) -> &str;
    /// Its axes and their values.
    fn axes(&self, at: usize) -> &[(String, String)];
    /// The stages it reads.
    fn inputs(&self, at: usize) -> &[Edge];
    /// Its configuration.
    fn config(&self, at: usize) -> &dyn Any;
    /// The network that it hands on.
    fn network(&self, at: usize) -> Network<'_>;
    /// What was done to the images that it hands on.
    fn degrade(&self, at: usize) -> Option<Degrade>;
    /// How many masks an image has of those that it hands on, and of which image of a pair they are.
    fn masks(&self, at: usize) -> Option<(usize, PairImage)>;
    /// Whether it is a training.
    fn trains(&self, at: usize) -> bool;
    /// Whether it is a training with a validation.
    fn is_validated(&self, at: usize) -> bool;
    /// What tables can say of it.
    fn labels(&self, at: usize) -> Labels;
    /// Where it lies, where it is a command.
    fn ground(&self, at: usize) -> Ground<'_>;
}

/// What a command stands on beside its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The folder that it runs in.
    pub home: &'a Path,
    /// Its outputs.
    pub outputs: &'a [PathBuf],
    /// The variables of the caller's environment that are handed through.
    pub pass: &'a BTreeMap<String, String>,
    /// The digest of its program, where that is part of the key.
    pub program: Option<&'a str>,
}

/// One stage of a list.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    stages: &'a dyn Stages,
    at: usize,
}

impl<'a> Around<'a> {
    /// Stage `at` of these.
    pub const fn new(stages: &'a dyn Stages, at: usize) -> Self {
        Self { stages, at }
    }

    /// Another stage of the same list.
    #[must_use]
    pub const fn of(&self, at: usize) -> Self {
        Self {
            stages: self.stages,
            at,
        }
    }

    /// Its index.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.stages.name(self.at)
    }

    /// Its axes and their values.
    pub fn axes(&self) -> &'a [(String, String)] {
        self.stages.axes(self.at)
    }

    /// The stages it reads.
    pub fn inputs(&self) -> &'a [Edge] {
        self.stages.inputs(self.at)
    }

    /// The stage that fills `role`.
    pub fn input(&self, role: &str) -> Option<Self> {
        let edge = self.inputs().iter().find(|edge| edge.role == role)?;
        Some(self.of(edge.stage))
    }

    /// The stages whose role begins with `field.`.
    pub fn inputs_of(&self, field: &str) -> Vec<usize> {
        let below = |role: &str| {
            let rest = role.strip_prefix(field);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let edges = self.inputs().iter().filter(|edge| below(&edge.role));
        edges.map(|edge| edge.stage).collect()
    }

    /// Its configuration, where it is of this kind.
    pub fn config<K: Any>(&self) -> Option<&'a K> {
        self.stages.config(self.at).downcast_ref()
    }

    /// What was done to the images that it reads; checks have made sure that there are some.
    pub fn degrade(&self) -> Degrade {
        let images = self.input("images");
        images
            .and_then(|images| images.made())
            .unwrap_or(Degrade::Sr(1))
    }

    /// What was done to the images that it hands on.
    pub fn made(&self) -> Option<Degrade> {
        self.stages.degrade(self.at)
    }

    /// How many masks an image has of those that it hands on, and of which image of a pair they are.
    pub fn masks(&self) -> Option<(usize, PairImage)> {
        self.stages.masks(self.at)
    }

    /// Whether it is a training.
    pub fn trains(&self) -> bool {
        self.stages.trains(self.at)
    }

    /// Whether it is a training with a validation.
    pub fn is_validated(&self) -> bool {
        self.stages.is_validated(self.at)
    }

    /// Its labels. Those of an evaluation: `set`, `degrade`, `scale`, `sigma`, `backbone`, `scheme`, `alpha`, `variant`,
    /// `locations`, `init`, `share`, `seed`, `precision`, `granularity`, `grid`, `masks`, `segmenter`, `luma`, `tiling`,
    /// `evaluation_precision` (absent in float32), and the axes of the sweeps it comes from. Those of a mask stage: `set`, `degrade`, `segmenter`, `granularity`,
    /// `grid`, `masks`.
    pub fn labels(&self) -> Labels {
        self.stages.labels(self.at)
    }

    /// Where it lies, where it is a command.
    pub fn ground(&self) -> Ground<'a> {
        self.stages.ground(self.at)
    }

    /// The network that it names itself.
    pub(crate) fn own_architecture(&self) -> Option<&'a Architecture> {
        match self.stages.network(self.at) {
            Network::Own(architecture) => Some(architecture),
            Network::Of(_) | Network::None => None,
        }
    }

    /// The network that it hands on. What a tuned stage was tuned from may itself be tuned, and so on; there is no circle.
    pub fn architecture(&self) -> Option<&'a Architecture> {
        let mut stage = *self;
        loop {
            match stage.stages.network(stage.at) {
                Network::Own(architecture) => return Some(architecture),
                Network::Of(role) => stage = stage.input(role)?,
                Network::None => return None,
            }
        }
    }
}
