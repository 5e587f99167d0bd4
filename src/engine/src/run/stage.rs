//! One stage from claim to commit.
//! Unaware of other stages, and of how the executor computes.

use std::collections::BTreeMap;
use std::time::Instant;

use spec::{Device, Event, JOB_FORMAT, Job, KeepDecoded, Kind, Outside, Runs};
use store::{Checkpoints, Claim, Digest, Facts, Key, Ticket};

use super::attempt::{Finish, Member};
use super::claim::{Patience, claim};
use super::context::Run;
use super::event::Origin;
use super::executor::{Computed, Limits, OnEvent, Task};
use super::failure::Failure;
use super::sealed::Sealed;
use super::slots::Allocation;
use super::warm_start;
use plan::Planned;

/// A stage whose key is this run's to compute, ready for an executor.
pub(super) struct Claimed {
    sealed: Sealed,
    attempt: u32,
    trajectory: Option<Key>,
    job: Job,
}

/// What came of asking for a key.
pub(super) enum Claiming {
    /// It is ours.
    Ready(Box<Claimed>),
    /// Another run has committed it.
    Done(Finish),
    /// Another run is at it.
    Busy,
}

/// Claims the key of a stage.
pub(super) fn claimed(
    run: &Run<'_>,
    member: Member,
    allocation: &Allocation,
    patience: &Patience<'_>,
    on_event: &OnEvent<'_>,
) -> Result<Claiming, Failure> {
    let begin = Instant::now();
    let (key, planned) = planned(run, member.at)?;
    let ticket = match claim(run, member.at, &key, member.anew, patience)? {
        Claim::Ready(ticket) => ticket,
        Claim::Busy => return Ok(Claiming::Busy),
        Claim::Done(_) => {
            return Ok(Claiming::Done(Finish {
                seconds: begin.elapsed().as_secs_f64(),
                origin: Origin::ByOtherRun,
            }));
        }
    };
    let sealed = Sealed::new(run, member, planned, allocation, ticket)?;
    // Asked before anything is made ready: a stage that is spared keeps its checkpoints and says nothing of them.
    match sealed.of_same_bytes(run)? {
        Some(record) => sealed.keep_copy(run, record).map(Claiming::Done),
        None => Claimed::new(run, sealed, member.attempt, allocation, on_event)
            .map(|claimed| Claiming::Ready(Box::new(claimed))),
    }
}

impl Claimed {
    /// Looks at what earlier tries have left, and writes the job.
    fn new(
        run: &Run<'_>,
        sealed: Sealed,
        attempt: u32,
        allocation: &Allocation,
        on_event: &OnEvent<'_>,
    ) -> Result<Self, Failure> {
        let kind = &run.pipeline.stages[sealed.at].kind;
        match kind.runs() {
            Runs::Worker(_) => guard_state(&sealed.ticket, &sealed.fingerprint(), on_event)?,
            // Nobody knows what a command's temporary files of an earlier try were made from.
            Runs::Program(_) if sealed.ticket.is_first() => {}
            Runs::Program(_) => sealed.ticket.clear_state()?,
            Runs::Report(_) => {}
        }
        let (_, planned) = planned(run, sealed.at)?;
        let trajectory = planned.trajectory();
        let consumed = sealed.inputs.consumed();
        let start = trajectory
            .filter(|_| run.reuses)
            .and_then(|key| warm_start::start(run.store, kind, &key, &consumed, on_event));
        let mut outside = sealed.outside.content();
        if let Outside::Planned(files) = &mut outside {
            files.extend(sealed.inputs.weights());
        }
        let job = Job {
            trajectory: trajectory.map(|key| key.to_string()),
            start,
            decoded: keep_decoded(run, kind, &consumed),
            inputs: sealed.inputs.folders(),
            outside,
            ..job(run, sealed.at, allocation, &sealed.ticket)
        };
        Ok(Self {
            sealed,
            attempt,
            trajectory,
            job,
        })
    }

    /// Which stage it is.
    pub fn at(&self) -> usize {
        self.sealed.at
    }

    /// Notes in the record that the stage was computed with others.
    pub fn note_together(&mut self, stages: usize) {
        self.sealed.order.facts.set("computed_together", stages);
    }

    /// What the executor gets.
    pub fn task(&self, run: &Run<'_>, allocation: &Allocation) -> Task<'_> {
        let sealed = &self.sealed;
        Task {
            job: &self.job,
            stage: sealed.at,
            ticket: &sealed.ticket,
            order: &sealed.order,
            inputs: &sealed.inputs,
            outside: &*sealed.outside,
            log: run.store.log_path(sealed.ticket.key()),
            attempt: self.attempt,
            limits: Limits::of(&run.pipeline.stages[sealed.at].resources),
            visible: run.visible(allocation),
        }
    }

    /// Keeps what was computed, if the stage read what its key says. A stage that failed may have changed its inputs too, or
    /// failed because somebody did.
    pub fn keep(
        self,
        run: &Run<'_>,
        result: Result<Computed, Failure>,
        on_event: &OnEvent<'_>,
    ) -> Result<Finish, Failure> {
        let seconds = self.sealed.begin.elapsed().as_secs_f64();
        if result == Ok(Computed::Committed) {
            // Whoever committed it has looked at what it read; the folders of this try are gone.
            committed(run, self.sealed.ticket.key())?;
        } else if let Err(changed) = self.sealed.unchanged(run) {
            return Err(self.refuse(changed, result));
        } else if let Computed::Here(facts) = result? {
            self.file_state(run, &facts, on_event);
            let facts = all_facts(run, facts, seconds);
            if let Some(changed) = self.sealed.outside.changed_since() {
                let message = format!("{changed}; the result is of what it was before: run again");
                on_event(Event::Note { message });
            }
            self.sealed.commit(run, facts)?;
        }
        Ok(Finish {
            seconds,
            origin: Origin::Ran,
        })
    }

    /// Files the state that a training ended with, for longer ones.
    fn file_state(&self, run: &Run<'_>, facts: &Facts, on_event: &OnEvent<'_>) {
        let Some(key) = &self.trajectory else {
            return;
        };
        let Sealed { inputs, ticket, .. } = &self.sealed;
        warm_start::keep(run.store, key, &inputs.consumed(), ticket, facts, on_event);
    }

    /// The failure of a stage that read something else than its key says. Nothing of it stays.
    fn refuse(&self, changed: Failure, result: Result<Computed, Failure>) -> Failure {
        // Checkpoints were made from the same bytes as the result. Where they cannot be removed, the fingerprint of the
        // inputs keeps the next try from them.
        let _ = self.sealed.ticket.clear_state();
        match result {
            Err(failure) if failure.report.interrupted => failure,
            Err(failure) if changed.again.is_none() => failure,
            result => Failure {
                log: result.err().and_then(|failure| failure.log),
                ..changed
            },
        }
    }
}

/// How a training keeps its inputs decoded. Only trainings read patches.
fn keep_decoded(
    run: &Run<'_>,
    kind: &Kind,
    consumed: &BTreeMap<String, Digest>,
) -> Option<KeepDecoded> {
    let above = run.keep_decoded.filter(|_| kind.schedule().is_some())?;
    let text = |(role, content): (&String, &Digest)| (role.clone(), content.to_string());
    Some(KeepDecoded {
        folder: run.store.decoded_path(),
        above,
        contents: consumed.iter().map(text).collect(),
    })
}

/// Checkpoints are gone on with only while the very files lie there that they were made from.
fn guard_state(ticket: &Ticket, inputs: &Digest, on_event: &OnEvent<'_>) -> Result<(), Failure> {
    let message = match ticket.keep_state_for(inputs)? {
        Checkpoints::Kept => return Ok(()),
        Checkpoints::OfOtherInputs => {
            "its inputs were made again since its last checkpoint; starting anew"
        }
        Checkpoints::OfUnknownInputs => {
            "the note of what its checkpoints were made from is damaged or gone; starting anew"
        }
    };
    on_event(Event::Note {
        message: message.into(),
    });
    Ok(())
}

fn planned<'r>(run: &Run<'r>, at: usize) -> Result<(Key, &'r Planned), Failure> {
    let planned = run.plan.get(at);
    let key = planned.and_then(|p| p.key.map(|k| (k, p)));
    key.ok_or_else(|| {
        Failure::new(
            "the stage has no key",
            "this is a defect of pipeline; please report it",
        )
    })
}

fn job(run: &Run<'_>, at: usize, allocation: &Allocation, ticket: &Ticket) -> Job {
    let stage = &run.pipeline.stages[at];
    Job {
        format: JOB_FORMAT,
        key: ticket.key().to_string(),
        stage: stage.kind.clone(),
        inputs: BTreeMap::new(),
        out: ticket.out().to_owned(),
        state: ticket.state().to_owned(),
        // Its process sees the GPUs it got and no other, so the first one is its own.
        device: match run.device {
            Device::Cuda(_) if !allocation.gpus.is_empty() => Device::Cuda(0),
            Device::Cuda(_) => Device::Cpu,
            device @ Device::Cpu => device,
        },
        threads: allocation.threads.max(1),
        checkpoint_seconds: stage.resources.checkpoint_seconds(),
        trajectory: None,
        start: None,
        decoded: None,
        outside: Outside::default(),
    }
}

/// A result that somebody else has committed is there, or it is none.
fn committed(run: &Run<'_>, key: &Key) -> Result<(), Failure> {
    let record = run.store.record(key)?;
    record.map(drop).ok_or_else(|| {
        Failure::new(
            "whoever computed it said that its result is committed, and it is not",
            "run again; look at the logs of whoever computed it",
        )
    })
}

/// What the key does not determine, but for what was allotted: this machine, what the executor found out, and the time.
fn all_facts(run: &Run<'_>, executor: Facts, seconds: f64) -> Facts {
    let mut facts = run.machine.clone();
    facts.0.extend(executor.0);
    facts
        .with("seconds", seconds)
        .with("finished", (run.clock)())
}
