//! Waits for a child process: wakes when it ends, stops it when its time or memory is used up, lets signals through, and
//! has ended what it left. Unaware of what the child computes.

use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open};

use spec::{Event, Kind};

use super::executor::{Limits, OnEvent};
use super::failure::Failure;
use super::stop::Stop;
use super::supervisor::{Supervisor, Tag, resident};
use super::target::Target;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Passed {
    Time(Duration),
    Memory { limit: u64, found: u64 },
}

impl Passed {
    /// Why a stage of this kind failed, in words.
    pub(super) fn failure(self, kind: &Kind) -> Failure {
        match self {
            Self::Time(limit) => Failure::new(
                format!(
                    "it took longer than its timeout of {} s",
                    limit.as_secs_f64()
                ),
                format!("raise `resources: {{timeout: …}}`; {}", next_time(kind)),
            ),
            Self::Memory { limit, found } => {
                let less = kind
                    .less_memory()
                    .map_or_else(String::new, |less| format!(", or {less}"));
                Failure::new(
                    format!(
                        "it used {:.2} GiB of memory, its limit is {:.2} GiB",
                        gib(found),
                        gib(limit)
                    ),
                    format!("raise `resources: {{memory: …}}`{less}"),
                )
            }
        }
    }
}

/// What the same command does next with a stage of this kind that was stopped or killed.
pub(super) fn next_time(kind: &Kind) -> String {
    format!("run the same command again: {}", kind.after_stop())
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// A child, and the tag of all that it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    pub target: Target,
    pub tag: Tag,
}

/// Waits until the child has ended. `stop` knows of it meanwhile and passes signals on.
pub(super) fn wait(
    stop: &Stop,
    child: &mut Child,
    watched: Watched,
    limits: Limits,
) -> std::io::Result<(ExitStatus, Option<Passed>)> {
    let target = watched.target;
    // Without such a descriptor (old kernels) the child is asked for every few milliseconds.
    let handle = pidfd_open(target.pid(), PidfdFlags::empty()).ok();
    let begin = Instant::now();
    let mut passed: Option<(Passed, Instant)> = None;
    loop {
        if let Some(status) = stop.reap(target, || child.try_wait().transpose()) {
            return status.map(|status| (status, passed.map(|(what, _)| what)));
        }
        match passed {
            None => {
                passed = look(watched, limits, begin).map(|what| (what, Instant::now()));
                match passed {
                    Some((Passed::Time(_), _)) => target.tell(Signal::TERM),
                    Some((Passed::Memory { .. }, _)) => target.tell(Signal::KILL),
                    None => {}
                }
            }
            Some((_, since)) if since.elapsed() > GRACE => target.tell(Signal::KILL),
            Some(_) => {}
        }
        let pause = match (limits.timeout, limits.memory, passed) {
            (_, Some(_), _) | (_, _, Some(_)) => Some(LOOK),
            (Some(timeout), None, None) => Some(timeout.saturating_sub(begin.elapsed())),
            (None, None, None) => None,
        };
        sleep(handle.as_ref(), pause);
    }
}

/// Sleeps until the child ends, but no longer than `pause`.
fn sleep(watched: Option<&std::os::fd::OwnedFd>, pause: Option<Duration>) {
    let Some(watched) = watched else {
        std::thread::sleep(Duration::from_millis(2));
        return;
    };
    let timeout = pause.map(|p| Timespec {
        tv_sec: p.as_secs() as i64,
        // A little more, so that the time is over when this returns.
        tv_nsec: i64::from(p.subsec_nanos()).min(998_999_999) + 1_000_000,
    });
    // A signal that interrupts it only makes the loop go round once more.
    let _ = poll(
        &mut [PollFd::from_borrowed_fd(watched.as_fd(), PollFlags::IN)],
        timeout.as_ref(),
    );
}

fn look(watched: Watched, limits: Limits, begin: Instant) -> Option<Passed> {
    if let Some(timeout) = limits.timeout
        && begin.elapsed() >= timeout
    {
        return Some(Passed::Time(timeout));
    }
    let limit = limits.memory?;
    let found = resident(watched.tag, watched.target.pid());
    (found > limit).then_some(Passed::Memory { limit, found })
}

/// Ends what a child that has ended left behind, and says so: nothing of it writes into outputs that are kept.
pub(super) fn end_leftovers(
    supervisor: &Supervisor,
    tag: Tag,
    on_event: &OnEvent<'_>,
) -> Result<(), Failure> {
    let left = supervisor.end_leftovers(tag);
    if !left.living.is_empty() {
        let message = format!(
            "what it left running cannot be ended: {}",
            left.living.join(", ")
        );
        return Err(Failure::new(
            message,
            "a process that waits for a disk or a driver ends when that answers; then run again",
        ));
    }
    if !left.ended.is_empty() {
        let message = format!("ended what it left running: {}", shown(&left.ended));
        on_event(Event::Note { message });
    }
    Ok(())
}

/// The first few, and how many more.
fn shown(names: &[String]) -> String {
    const FEW: usize = 5;
    let first = names[..names.len().min(FEW)].join(", ");
    match names.len().saturating_sub(FEW) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
