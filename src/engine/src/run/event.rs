//! What happens in a run, for whoever shows it.
//! Unaware of how it is shown.

use spec::Pipeline;
use store::Key;

use super::context::Outcome;
use super::failure::Failure;

/// Something that happened. Stages are indices into [`Pipeline::stages`].
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// The stage's result is there already.
    Fresh {
        /// The stage.
        stage: usize,
    },
    /// The stage cannot run.
    Blocked {
        /// The stage.
        stage: usize,
        /// What is missing.
        missing: &'a [String],
    },
    /// The stage has started.
    Started {
        /// The stage.
        stage: usize,
    },
    /// The stage says something.
    Stage {
        /// The stage.
        stage: usize,
        /// What.
        event: spec::Event,
    },
    /// The stage's result is committed.
    Finished {
        /// The stage.
        stage: usize,
        /// How long it took.
        seconds: f64,
        /// Who computed it.
        origin: Origin,
    },
    /// A stage that had its result runs, or one that failed is tried once more, because of bytes that are not what they
    /// were: its own or its inputs'.
    Again {
        /// The stage.
        stage: usize,
        /// Why.
        message: &'a str,
    },
    /// The stage failed and is tried again.
    Retry {
        /// The stage.
        stage: usize,
        /// Why.
        failure: &'a Failure,
        /// Whether it gets a GPU of its own this time, because GPU memory ran out.
        alone: bool,
    },
    /// The stage failed.
    Failed {
        /// The stage.
        stage: usize,
        /// Why.
        failure: &'a Failure,
        /// How long its last try took.
        seconds: f64,
    },
    /// The stage was not tried because of a failure before it.
    Skipped {
        /// The stage.
        stage: usize,
    },
    /// The run has ended.
    End {
        /// How.
        outcome: Outcome,
    },
}

/// How a stage came to its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It ran.
    Ran,
    /// Another run made it while this one waited.
    ByOtherRun,
    /// The result of this key was taken over: the same configuration had read the same bytes.
    SameInputs(Key),
}

/// Shows events to somebody.
pub trait Display {
    /// Shows one.
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>);
}
