//! One stage from claim to commit.
//! Unaware of other stages, and of how the executor computes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use spec::{Device, Event, JOB_FORMAT, Job, Read, Runs, reads};
use store::{Checkpoints, Claim, Digest, Facts, Holder, Key, Made, Record, StoreError, Ticket};

use super::executor::{Computed, Limits, OnEvent, Order, Task, Watching};
use super::failure::Failure;
use super::inputs::Inputs;
use super::slots::Allocation;
use super::{Origin, Run, by_content, warm_start};
use plan::Planned;

/// The time as it is recorded: RFC 3339.
pub type Clock = dyn Fn() -> String + Sync;

/// A stage of a batch, and which try of it this is, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub at: usize,
    pub attempt: u32,
    /// Whether it reads copies of its inputs.
    pub own_copies: bool,
}

/// How a stage ended that did not fail.
pub(super) struct Finish {
    pub seconds: f64,
    pub origin: Origin,
}

/// A stage whose key is this run's to compute.
pub(super) struct Claimed {
    pub at: usize,
    attempt: u32,
    order: Order,
    ticket: Ticket,
    inputs: Inputs,
    outside: Box<dyn Watching>,
    trajectory: Option<Key>,
    job: Job,
    begin: Instant,
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

/// What to do while another run is at a stage.
pub(super) enum Patience<'a> {
    /// Wait for its result, and say so.
    Wait(&'a OnEvent<'a>),
    /// Come back later.
    None,
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
    let Member {
        at,
        attempt,
        own_copies,
    } = member;
    let (key, planned) = planned(run, at)?;
    if run.is_forced(at) && attempt == 1 {
        forget(run, &key)?;
    }
    let ticket = match claim(run, at, &key, patience)? {
        Claim::Ready(ticket) => ticket,
        Claim::Busy => return Ok(Claiming::Busy),
        Claim::Done(_) => {
            return Ok(Claiming::Done(Finish {
                seconds: begin.elapsed().as_secs_f64(),
                origin: Origin::ByOtherRun,
            }));
        }
    };
    let kind = &run.pipeline.stages[at].kind;
    // What shows others' results changes nothing, so there is nothing to find out on copies.
    let inputs = Inputs::seal(run, at, &ticket, own_copies && !kind.is_report())?;
    let outside = (run.watch)(at).map_err(|message| Failure::new(message, CHANGED))?;
    if matches!(kind.runs(), Runs::Worker(_)) {
        guard_state(&ticket, &fingerprint(&inputs, &*outside), on_event)?;
    }
    let trajectory = planned.trajectory();
    let job = Job {
        trajectory: trajectory.map(|key| key.to_string()),
        start: trajectory
            .filter(|_| run.reuses)
            .and_then(|key| warm_start::start(run.store, kind, &key, &inputs.consumed(), on_event)),
        inputs: inputs.folders(),
        ..job(run, at, allocation, &ticket)
    };
    let consumed = inputs.consumed();
    let content_key = by_content::content_key(run, at, &planned.manifest, &consumed);
    let claimed = Claimed {
        at,
        attempt,
        order: Order {
            kind: kind.name(),
            manifest: planned.manifest.clone(),
            required: kind.outputs(),
            facts: allotted(run, allocation)
                .with_consumed(&consumed)
                .with_content_key(&content_key),
        },
        ticket,
        inputs,
        outside,
        trajectory,
        job,
        begin: Instant::now(),
    };
    match by_content::find(run, at, &claimed.order, &claimed.ticket)? {
        Some(record) => claimed.keep_copy(run, record).map(Claiming::Done),
        None => Ok(Claiming::Ready(Box::new(claimed))),
    }
}

impl Claimed {
    /// Notes in the record that the stage was computed with others.
    pub fn note_together(&mut self, stages: usize) {
        self.order.facts.set("computed_together", stages);
    }

    /// What the executor gets.
    pub fn task(&self, run: &Run<'_>, allocation: &Allocation) -> Task<'_> {
        Task {
            job: &self.job,
            stage: self.at,
            ticket: &self.ticket,
            order: &self.order,
            inputs: &self.inputs,
            outside: &*self.outside,
            log: run.store.log_path(self.ticket.key()),
            attempt: self.attempt,
            limits: Limits::of(&run.pipeline.stages[self.at].resources),
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
        let seconds = self.begin.elapsed().as_secs_f64();
        if result == Ok(Computed::Committed) {
            // Whoever committed it has looked at what it read; the folders of this try are gone.
            committed(run, self.ticket.key())?;
        } else if let Err(changed) = self.unchanged(run) {
            return Err(self.refuse(changed, result));
        } else if let Computed::Here(facts) = result? {
            self.commit(run, facts, seconds, on_event)?;
        }
        Ok(Finish {
            seconds,
            origin: Origin::Ran,
        })
    }

    /// The failure of a stage that read something else than its key says. Nothing of it stays.
    fn refuse(&self, changed: Failure, result: Result<Computed, Failure>) -> Failure {
        // Checkpoints were made from the same bytes as the result. Where they cannot be removed, the fingerprint of the
        // inputs keeps the next try from them.
        let _ = self.ticket.clear_state();
        match result {
            Err(failure) if failure.report.interrupted => failure,
            Err(failure) if changed.again.is_none() => failure,
            result => Failure {
                log: result.err().and_then(|failure| failure.log),
                ..changed
            },
        }
    }

    fn commit(
        self,
        run: &Run<'_>,
        facts: Facts,
        seconds: f64,
        on_event: &OnEvent<'_>,
    ) -> Result<(), Failure> {
        if let Some(key) = self.trajectory {
            let consumed = self.inputs.consumed();
            warm_start::keep(run.store, &key, &consumed, &self.ticket, &facts, on_event);
        }
        let order = self.order;
        let facts = all_facts(run, facts, order.facts, seconds);
        let (ticket, manifest) = (self.ticket, &order.manifest);
        let commit = run
            .committer
            .commit(ticket, order.kind, manifest, order.required, facts);
        commit?;
        Ok(())
    }

    /// Commits the outputs of another record, which lie in the ticket's folder. Seconds, memory and host are those of the
    /// stage that ran.
    fn keep_copy(self, run: &Run<'_>, from: Record) -> Result<Finish, Failure> {
        self.unchanged(run)?;
        let (order, origin) = (self.order, Origin::SameInputs(from.key));
        let facts = from.facts.copied_from(&from.key);
        let (ticket, manifest) = (self.ticket, &order.manifest);
        let commit = run
            .committer
            .commit(ticket, order.kind, manifest, order.required, facts);
        commit?;
        Ok(Finish {
            seconds: self.begin.elapsed().as_secs_f64(),
            origin,
        })
    }

    /// Whether everything that the stage read is as it was when the stage began.
    fn unchanged(&self, run: &Run<'_>) -> Result<(), Failure> {
        let outside = self.outside.unchanged();
        outside.map_err(|message| Failure::new(message, CHANGED))?;
        self.inputs.unchanged(run)
    }
}

/// What to do when something outside is not as it was.
const CHANGED: &str = "run again; results are only kept when their inputs stayed as they were";

/// A digest that stays while these very files are all that the stage reads.
fn fingerprint(inputs: &Inputs, outside: &dyn Watching) -> Digest {
    let inside = inputs.fingerprint();
    match outside.fingerprint() {
        Some(outside) => Digest::of(format!("{inside}\n{outside}\n").as_bytes()),
        None => inside,
    }
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

/// Moves a result out of the way that `--force` wants anew. Another run may be at it: then its result will do. What a dead
/// run has left may not: it ends in a moment.
fn forget(run: &Run<'_>, key: &Key) -> Result<(), Failure> {
    loop {
        match run.store.quarantine(key) {
            Err(StoreError::Busy { .. }) if run.store.holder(key).is_some_and(|h| h.is_gone) => {
                if run.stop.level() > 0 {
                    return Err(Failure::interrupted());
                }
                std::thread::sleep(ASK_EVERY);
            }
            Ok(_) | Err(StoreError::Absent { .. } | StoreError::Busy { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// How often a busy key is asked for.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The right to compute, or why there is none; with patience, never [`Claim::Busy`]. A result that was made from other
/// bytes of its inputs is moved aside.
fn claim(run: &Run<'_>, at: usize, key: &Key, patience: &Patience<'_>) -> Result<Claim, Failure> {
    let mut wait = Wait::default();
    loop {
        let claim = run.store.ticket(key)?;
        if let Claim::Done(record) = &claim
            && !is_of_these_inputs(run, at, record)
        {
            forget(run, key)?;
            continue;
        }
        let Patience::Wait(on_event) = patience else {
            return Ok(claim);
        };
        match claim {
            Claim::Busy if run.stop.level() > 0 => return Err(Failure::interrupted()),
            Claim::Busy => {
                if let Some(message) = wait.news(run.store.holder(key)) {
                    on_event(Event::Note { message });
                }
                std::thread::sleep(ASK_EVERY);
            }
            ready => return Ok(ready),
        }
    }
}

fn is_of_these_inputs(run: &Run<'_>, at: usize, record: &Record) -> bool {
    run.keep_consumers || differing(run, at, &Made::of(record)).is_empty()
}

/// What stage `at` reads whose bytes are not those that this result of it was made from. What is not recorded, or not
/// stored now, does not differ.
pub(super) fn differing(run: &Run<'_>, at: usize, made: &Made) -> Vec<usize> {
    let Some(consumed) = &made.consumed else {
        return Vec::new();
    };
    let differs = |edge: &Read<'_>| {
        let then = consumed.get(&*edge.role);
        let key = run.plan.get(edge.stage).and_then(|planned| planned.key);
        let now = key.and_then(|key| run.store.made(&key));
        then.zip(now)
            .is_some_and(|(then, now)| *then != now.content)
    };
    let edges = reads(run.pipeline, at).filter(differs);
    edges.map(|edge| edge.stage).collect()
}

/// A wait for a busy key: what was said of it.
#[derive(Default)]
struct Wait {
    begin: Option<Instant>,
    has_told: bool,
    told: Option<Holder>,
}

/// A key is held for a moment by a child of ours that is being started, and by our own commits: not worth a word.
const NAMELESS: Duration = Duration::from_secs(1);

impl Wait {
    /// What there is to say now.
    fn news(&mut self, holder: Option<Holder>) -> Option<String> {
        let begin = *self.begin.get_or_insert_with(Instant::now);
        let is_news = match holder {
            None => !self.has_told && begin.elapsed() > NAMELESS,
            Some(_) => self.told != holder,
        };
        is_news.then(|| {
            let text = waiting(holder.as_ref());
            (self.has_told, self.told) = (true, holder);
            text
        })
    }
}

fn waiting(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "another run is at this stage; waiting for its result".to_owned();
    };
    let Holder {
        pid,
        host,
        command,
        since,
        is_gone,
    } = holder;
    if *is_gone {
        return format!(
            "waiting: pid {pid} on {host}, which ran it, is dead; what it had started is being ended ({command})"
        );
    }
    let since = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(*since));
    let since = since.map_or_else(String::new, |at| {
        format!(", begun {}", humantime::format_rfc3339_seconds(at))
    });
    format!("waiting for its result: pid {pid} on {host} runs it ({command}{since})")
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

/// What the key does not determine: this machine, what the executor found out, what was allotted, and the time.
fn all_facts(run: &Run<'_>, executor: Facts, order: Facts, seconds: f64) -> Facts {
    let mut facts = run.machine.clone();
    facts.0.extend(executor.0);
    facts.0.extend(order.0);
    facts
        .with("seconds", seconds)
        .with("finished", (run.clock)())
}

/// What the stage may use, as it is recorded.
fn allotted(run: &Run<'_>, allocation: &Allocation) -> Facts {
    Facts::new()
        .with("threads", allocation.threads)
        .with("device", device_name(run, allocation))
}

fn device_name(run: &Run<'_>, allocation: &Allocation) -> String {
    let name = |gpu: &usize| format!("cuda:{}", run.gpus[*gpu]);
    match allocation.gpus.as_slice() {
        [] => Device::Cpu.to_string(),
        gpus => gpus.iter().map(name).collect::<Vec<_>>().join(" "),
    }
}
