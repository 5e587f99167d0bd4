//! The processes that signals and limits concern.
//! Unaware of what they compute.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

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
