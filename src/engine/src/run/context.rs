//! What a run has: its plan, its cache, who computes, what it may use; and how it ended.
//! Unaware of the loop that runs it, of single stages and of who is told.

use std::time::Duration;

use plan::Plan;
use spec::Pipeline;
use store::Store;

use super::executor::{Executor, Watching};
use super::slots::Allocation;
use super::stop::Stop;

/// The time as it is recorded: RFC 3339.
pub type Clock = dyn Fn() -> String + Sync;

/// Everything a run needs.
pub struct Run<'a> {
    /// The stages and their configuration.
    pub pipeline: &'a Pipeline,
    /// What is to be done.
    pub plan: &'a Plan,
    /// Where results go.
    pub store: &'a Store,
    /// Where results become results.
    pub committer: &'a store::GroupCommit,
    /// Who computes.
    pub executor: &'a dyn Executor,
    /// How long it may stay silent once it was asked for an end, or a stage's time has passed.
    pub patience: Duration,
    /// Cores to share among running stages.
    pub cores: usize,
    /// Indices of the CUDA devices to share, as the worker counts them.
    pub gpus: &'a [usize],
    /// How `CUDA_VISIBLE_DEVICES` names each device that the worker counts.
    pub visible: &'a [String],
    /// The most stages at once.
    pub jobs: usize,
    /// Whether to go on with what does not depend on a failed stage.
    pub keep_going: bool,
    /// Whether a result stays that was made from other bytes of its inputs than are stored now.
    pub keep_consumers: bool,
    /// Whether a stage may take the result that the same configuration had from the same bytes under another key, and a
    /// training start from where a shorter one with the same settings ended.
    pub reuses: bool,
    /// From how many bytes on trainings keep images decoded in the cache; none where they never do.
    pub keep_decoded: Option<u64>,
    /// Device and host, as they are recorded.
    pub machine: store::Facts,
    /// Where stages compute.
    pub device: spec::Device,
    /// The time, as it is recorded.
    pub clock: &'a Clock,
    /// Begins to watch what a stage reads outside; an error in words where that is not what was planned with.
    pub watch: &'a (dyn Fn(usize) -> Result<Box<dyn Watching>, String> + Sync),
    /// Set by signals.
    pub stop: &'a Stop,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Stages that ran.
    pub ran: usize,
    /// Stages that were fresh, or were made by another run meanwhile.
    pub fresh: usize,
    /// Stages that failed.
    pub failed: usize,
    /// Stages that were blocked, stopped, or did not come to run because others failed.
    pub not_run: usize,
    /// Whether a signal ended it.
    pub interrupted: bool,
}

impl Run<'_> {
    /// The devices of an allocation, as `CUDA_VISIBLE_DEVICES` names them; nothing on a machine without GPUs.
    pub(super) fn visible(&self, allocation: &Allocation) -> Option<String> {
        if self.gpus.is_empty() {
            return None;
        }
        let name = |gpu: &usize| self.visible.get(self.gpus[*gpu]).cloned();
        let names: Vec<String> = allocation.gpus.iter().filter_map(name).collect();
        Some(names.join(","))
    }

    pub(super) fn is_forced(&self, at: usize) -> bool {
        self.plan.get(at).is_some_and(|p| p.verdict.is_forced())
    }
}
