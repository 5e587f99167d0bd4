//! A stage among the others: what a kind may ask about the stages that it reads.
//! Unaware of results; only what the file says is known here.

use crate::backbones::Architecture;
use crate::kinds::{Degrade, Kind, Network};
use crate::pipeline::{Pipeline, Stage, Typed};

/// A list of stages, whether checked already or not.
pub trait Stages {
    /// The stage of this index.
    fn stage(&self, at: usize) -> &Stage;
}

impl Stages for Pipeline {
    fn stage(&self, at: usize) -> &Stage {
        &self.stages[at]
    }
}

impl Stages for &[Typed] {
    fn stage(&self, at: usize) -> &Stage {
        &self[at].stage
    }
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

    /// The list.
    pub const fn stages(&self) -> &'a dyn Stages {
        self.stages
    }

    /// The stage itself.
    pub fn stage(&self) -> &'a Stage {
        self.stages.stage(self.at)
    }

    /// Another stage of the same list.
    #[must_use]
    pub const fn of(&self, at: usize) -> Self {
        Self {
            stages: self.stages,
            at,
        }
    }

    /// The stage that fills `role`.
    pub fn input(&self, role: &str) -> Option<Self> {
        self.stage().input(role).map(|at| self.of(at))
    }

    /// What was done to the images that the stage reads; checks have made sure that there are some.
    pub fn degrade(&self) -> Degrade {
        match self.input("images").map(|images| &images.stage().kind) {
            Some(Kind::Prepare(prepare)) => prepare.degrade,
            _ => Degrade::Sr(1),
        }
    }

    /// The network that the stage hands on. What a tuned stage was tuned from may itself be tuned, and
    /// so on; there is no circle.
    pub fn architecture(&self) -> Option<&'a Architecture> {
        let mut stage = *self;
        loop {
            match stage.stage().kind.network() {
                Network::Own(architecture) => return Some(architecture),
                Network::Of(role) => stage = stage.input(role)?,
                Network::None => return None,
            }
        }
    }
}
