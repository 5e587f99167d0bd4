//! Waits for a child process: wakes when it ends, stops it when its time or memory is used up, lets signals through.
//! Unaware of what the child computes.

use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use spec::Kind;
use spec::kinds::Segmenter;

use super::{Failure, Stop};

/// What a stage may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Wall-clock time.
    pub timeout: Option<Duration>,
    /// Bytes of resident memory, of the child and of its process group.
    pub memory: Option<u64>,
}

impl Limits {
    /// The limits that a stage asks for.
    pub fn of(resources: &spec::Resources) -> Self {
        Self {
            // The file was checked; a number that it does not fit is as good as none.
            timeout: resources
                .timeout
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            memory: resources
                .memory
                .map(|gib| (gib * f64::from(1 << 30)) as u64),
        }
    }
}

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
                let less =
                    less_memory(kind).map_or_else(String::new, |less| format!(", or {less}"));
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
pub(super) fn next_time(kind: &Kind) -> &'static str {
    match kind {
        kind if kind.schedule().is_some() => {
            "run the same command again: training goes on from its last checkpoint"
        }
        Kind::Mask(mask) if matches!(mask.segmenter, Segmenter::Sam(_)) => {
            "run the same command again: images whose masks were finished are not done again"
        }
        _ => "run the same command again: the stage starts anew",
    }
}

/// How a stage of this kind takes less memory, where its configuration says so.
pub(super) fn less_memory(kind: &Kind) -> Option<&'static str> {
    kind.schedule().map(|_| "lower `batch` or `patch`")
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// Whom signals and limits concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One process.
    Process(Pid),
    /// All processes of the group that this one leads.
    Group(Pid),
}

impl Target {
    pub(super) const fn pid(self) -> Pid {
        match self {
            Self::Process(pid) | Self::Group(pid) => pid,
        }
    }

    /// It may have ended meanwhile, which is what was wanted.
    pub(super) fn tell(self, signal: Signal) {
        let _ = match self {
            Self::Process(pid) => kill_process(pid, signal),
            Self::Group(pid) => kill_process_group(pid, signal),
        };
    }
}

/// Waits until the child has ended. `stop` knows of it meanwhile and passes signals on.
pub(super) fn wait(
    stop: &Stop,
    child: &mut Child,
    target: Target,
    limits: Limits,
) -> std::io::Result<(ExitStatus, Option<Passed>)> {
    // Without such a descriptor (old kernels) the child is asked for every few milliseconds.
    let watched = pidfd_open(target.pid(), PidfdFlags::empty()).ok();
    let begin = Instant::now();
    let mut passed: Option<(Passed, Instant)> = None;
    loop {
        if let Some(status) = stop.reap(target, || child.try_wait().transpose()) {
            return status.map(|status| (status, passed.map(|(what, _)| what)));
        }
        match passed {
            None => {
                passed = look(target, limits, begin).map(|what| (what, Instant::now()));
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
        sleep(watched.as_ref(), pause);
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

fn look(target: Target, limits: Limits, begin: Instant) -> Option<Passed> {
    if let Some(timeout) = limits.timeout
        && begin.elapsed() >= timeout
    {
        return Some(Passed::Time(timeout));
    }
    let limit = limits.memory?;
    let found = resident(target);
    (found > limit).then_some(Passed::Memory { limit, found })
}

/// Resident bytes now, of the process or of all in its group.
fn resident(target: Target) -> u64 {
    match target {
        Target::Process(pid) => status_rss(&pid.as_raw_nonzero().to_string()),
        Target::Group(leader) => {
            let leader = leader.as_raw_nonzero().to_string();
            let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
            let names = processes.filter_map(|e| e.file_name().into_string().ok());
            let numbers = names.filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
            numbers
                .filter(|pid| group_of(pid).as_deref() == Some(leader.as_str()))
                .map(|pid| status_rss(&pid))
                .sum()
        }
    }
}

/// The process group: the third field behind the name in parentheses of `/proc/<pid>/stat`.
fn group_of(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind = stat.rsplit(") ").next()?;
    behind.split(' ').nth(2).map(str::to_owned)
}

fn status_rss(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
