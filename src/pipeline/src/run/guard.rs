//! Kills commands whose orchestrator is gone: a process that waits for the end of a pipe.
//! Unaware of stages. What it may miss, by a kill in the microseconds between a start and its note, only delays the next
//! run: the command holds the lock of its key until it ends.
//!
//! ```text
//!   pipeline run ── "+123\n" when the process group 123 starts, "-123\n" when it has ended ──> pipeline __guard
//!        |                                                                                          |
//!        └── dies, however: the pipe ends ────────────────────────────────────> SIGKILL to what is left
//! ```

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The word after the program's name that makes it a guard.
pub const WORD: &str = "__guard";

/// The orchestrator's end. The guard is started with the first command.
#[derive(Debug)]
pub struct Guard {
    program: Option<PathBuf>,
    process: Mutex<Option<(Child, ChildStdin)>>,
}

impl Guard {
    /// `program` is started with [`WORD`]; without one nothing is guarded.
    pub const fn new(program: Option<PathBuf>) -> Self {
        Self {
            program,
            process: Mutex::new(None),
        }
    }

    /// A process group has started.
    pub(super) fn watch(&self, group: Pid) {
        self.tell('+', group);
    }

    /// It has ended.
    pub(super) fn forget(&self, group: Pid) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: Pid) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.is_none() {
            *process = self.program.as_ref().and_then(start);
        }
        if let Some((_, pipe)) = &mut *process {
            // A guard that is gone guards nothing; the locks still keep the next run from what lives on.
            let _ = pipe.write_all(format!("{sign}{}\n", group.as_raw_nonzero()).as_bytes());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let process = self
            .process
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((mut child, pipe)) = process.take() {
            drop(pipe);
            let _ = child.wait(); // it ends with the pipe
        }
    }
}

/// In a process group of its own: Ctrl-C is for the orchestrator.
fn start(program: &PathBuf) -> Option<(Child, ChildStdin)> {
    let mut child = Command::new(program)
        .arg(WORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let pipe = child.stdin.take()?;
    Some((child, pipe))
}

/// The whole of a guard's life: reads notes to their end, then kills what was not said to have ended.
pub fn guard(notes: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in notes.lines().map_while(Result::ok) {
        let number = line.get(1..).and_then(|n| n.parse::<i32>().ok());
        match (line.as_bytes().first(), number) {
            (Some(b'+'), Some(group)) => drop(groups.insert(group)),
            (Some(b'-'), Some(group)) => drop(groups.remove(&group)),
            _ => {}
        }
    }
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL); // it may have ended by itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn what_has_not_ended_is_killed_with_the_pipe() {
        let (mut left, mut ended) = (sleeper(), sleeper());
        let notes = format!("+{}\n+{}\nnoise\n-{}\n", left.id(), ended.id(), ended.id());
        guard(notes.as_bytes());
        assert!(!left.wait().unwrap().success());
        assert!(ended.try_wait().unwrap().is_none());
        ended.kill().unwrap();
        ended.wait().unwrap();
    }
}
