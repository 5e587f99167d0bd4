//! Stages as their kinds may ask about them.
//! Unaware of what is asked for.

use std::any::Any;

use crate::around::{Around, Ground, Stages};
use crate::edge::Edge;
use crate::kinds::{Degrade, Network};
use crate::labels::Labels;
use crate::names::PairImage;
use crate::stage::{Pipeline, Stage};
use crate::typed::Typed;

/// A list of stages.
trait List {
    fn stage(&self, at: usize) -> &Stage;
}

impl List for Pipeline {
    fn stage(&self, at: usize) -> &Stage {
        &self.stages[at]
    }
}

impl List for &[Typed] {
    fn stage(&self, at: usize) -> &Stage {
        &self[at].stage
    }
}

impl<L: List> Stages for L {
    fn name(&self, at: usize) -> &str {
        &self.stage(at).name
    }

    fn axes(&self, at: usize) -> &[(String, String)] {
        &self.stage(at).axes
    }

    fn inputs(&self, at: usize) -> &[Edge] {
        &self.stage(at).inputs
    }

    fn config(&self, at: usize) -> &dyn Any {
        self.stage(at).kind.config()
    }

    fn network(&self, at: usize) -> Network<'_> {
        self.stage(at).kind.network()
    }

    fn degrade(&self, at: usize) -> Option<Degrade> {
        self.stage(at).kind.degrade()
    }

    fn masks(&self, at: usize) -> Option<(usize, PairImage)> {
        self.stage(at).kind.masks()
    }

    fn trains(&self, at: usize) -> bool {
        self.stage(at).kind.schedule().is_some()
    }

    fn is_validated(&self, at: usize) -> bool {
        let schedule = self.stage(at).kind.schedule();
        schedule.is_some_and(|s| s.validate.is_some())
    }

    fn labels(&self, at: usize) -> Labels {
        let mut labels = Labels::new();
        self.stage(at)
            .kind
            .labels(&Around::new(self, at), &mut labels);
        labels
    }

    fn ground(&self, at: usize) -> Ground<'_> {
        let stage = self.stage(at);
        Ground {
            home: &stage.places.home,
            outputs: &stage.places.outputs,
            pass: &stage.handed.pass,
            program: stage.program.as_deref(),
        }
    }
}
