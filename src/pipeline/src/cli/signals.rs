//! Ctrl-C, Ctrl-\\, SIGTERM and SIGHUP: once stops at the next checkpoint, twice stops at once.
//! Unaware of what is running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Fatal, say};
use engine::run::Stop;

/// Signals that come this close together are one wish: `timeout` and job managers tell the process and its group.
const TOGETHER: Duration = Duration::from_secs(1);

/// Raises the level of the returned [`Stop`] at each signal from now on.
pub fn watch() -> Result<Arc<Stop>, Fatal> {
    let stop = Arc::new(Stop::default());
    let mut signals = Signals::new(watched(ignored()))
        .map_err(|e| Fatal::failed(format!("cannot watch for signals: {e}"), ""))?;
    let raised = Arc::clone(&stop);
    std::thread::spawn(move || {
        let mut last: Option<Instant> = None;
        for _ in signals.forever() {
            if last.is_some_and(|at| at.elapsed() < TOGETHER) {
                continue;
            }
            last = Some(Instant::now());
            if raised.level() == 0 {
                say("stopping at the next checkpoint; once more to stop at once");
            }
            raised.raise();
        }
    });
    Ok(stop)
}

/// Those that end what is no run, and has no checkpoints.
pub(super) fn ending() -> Vec<i32> {
    let mut all = watched(ignored());
    all.retain(|signal| *signal != SIGQUIT);
    all
}

/// Those that stop a run. `nohup` has SIGHUP ignored, and a shell without job control SIGQUIT for what it starts with `&`:
/// they stay so. SIGINT is watched all the same: `kill -INT` is how scripts stop a run.
fn watched(ignored: u64) -> Vec<i32> {
    let is_ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
    let others = [SIGHUP, SIGQUIT].into_iter().filter(|s| !is_ignored(*s));
    [SIGINT, SIGTERM].into_iter().chain(others).collect()
}

/// A bit for each signal that whoever started this process had it ignore.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_from_the_start_stays_ignored() {
        assert_eq!(watched(0), [SIGINT, SIGTERM, SIGHUP, SIGQUIT]);
        assert_eq!(watched(1), [SIGINT, SIGTERM, SIGQUIT]);
        assert_eq!(watched(0b111), [SIGINT, SIGTERM]);
    }
}
