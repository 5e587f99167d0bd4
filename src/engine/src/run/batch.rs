//! Stages that start together: each is claimed, kept and fails by itself; one call of the executor computes them.
//! Unaware of what they share, which the scheduler knows, and of how the executor computes.
//!
//! Only the first may wait for another run, and it waits before anything is held: two runs that each held what the other
//! waits for would wait for ever. What another run is at meanwhile comes last, one by one.

use spec::Event;

use super::attempt::{Finish, Member};
use super::attend::attend;
use super::claim::Patience;
use super::context::Run;
use super::executor::{Computed, Task};
use super::failure::Failure;
use super::log::Log;
use super::slots::Allocation;
use super::stage::{Claimed, Claiming, claimed};

/// Whom to tell what happens to a stage, and how it ended.
pub(super) struct Tell<'a> {
    pub event: &'a (dyn Fn(usize, Event) + Sync),
    pub end: &'a dyn Fn(usize, Result<Finish, Failure>),
}

/// Computes the stages and tells the end of each.
pub(super) fn run(run: &Run<'_>, members: &[Member], allocation: &Allocation, tell: &Tell<'_>) {
    let (mut ready, mut busy) = (Vec::new(), Vec::new());
    for (n, member) in members.iter().enumerate() {
        let on_event = |event| (tell.event)(member.at, event);
        let patience = if n == 0 {
            Patience::Wait(&on_event)
        } else {
            Patience::None
        };
        match claimed(run, *member, allocation, &patience, &on_event) {
            Ok(Claiming::Ready(claimed)) => ready.push(*claimed),
            Ok(Claiming::Busy) => busy.push(*member),
            Ok(Claiming::Done(finish)) => (tell.end)(member.at, Ok(finish)),
            Err(failure) => (tell.end)(member.at, Err(failure)),
        }
    }
    compute(run, ready, allocation, tell);
    for member in busy {
        self::run(run, &[member], allocation, tell);
    }
}

/// Has computed what was claimed, and keeps what came of each.
fn compute(run: &Run<'_>, mut ready: Vec<Claimed>, allocation: &Allocation, tell: &Tell<'_>) {
    if ready.is_empty() {
        return;
    }
    if ready.len() > 1 {
        let stages = ready.len();
        for claimed in &mut ready {
            claimed.note_together(stages);
        }
    }
    let results = execute(run, &ready, allocation, tell);
    for (claimed, result) in ready.into_iter().zip(results) {
        let at = claimed.at();
        let kept = claimed.keep(run, result, &|event| (tell.event)(at, event));
        (tell.end)(at, kept);
    }
}

fn execute(
    run: &Run<'_>,
    ready: &[Claimed],
    allocation: &Allocation,
    tell: &Tell<'_>,
) -> Vec<Result<Computed, Failure>> {
    let tasks: Vec<Task<'_>> = ready.iter().map(|c| c.task(run, allocation)).collect();
    let logs: Vec<Log<'_>> = tasks.iter().map(|t| Log::begin(t, run.clock)).collect();
    let on_event = |n: usize, event| {
        if let (Some(task), Some(log)) = (tasks.get(n), logs.get(n)) {
            log.event(&event);
            (tell.event)(task.stage, event);
        }
    };
    let attended = attend(run.executor, &tasks, run.stop, run.patience, &on_event);
    if attended.gave_up {
        // What comes late is written where no later try reads.
        run.store.separate_tries();
    }
    let ended = attended.results.into_iter().zip(&logs).zip(&tasks);
    let noted = |((result, log), task): ((Result<Computed, Failure>, &Log<'_>), &Task<'_>)| {
        log.end(&result);
        result.map_err(|failure| Failure {
            log: failure.log.or_else(|| Some(task.log.clone())),
            ..failure
        })
    };
    ended.map(noted).collect()
}
