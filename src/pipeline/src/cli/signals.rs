//! Ctrl-C and SIGTERM: once stops at the next checkpoint, twice stops at once.
//! Unaware of what is running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Fatal, say};
use crate::run::Stop;

/// Signals that come this close together are one wish: `timeout` and job managers tell the process and its group.
const TOGETHER: Duration = Duration::from_secs(1);

/// Raises the level of the returned [`Stop`] at each signal from now on.
pub fn watch() -> Result<Arc<Stop>, Fatal> {
    let stop = Arc::new(Stop::default());
    let mut signals = Signals::new([SIGINT, SIGTERM])
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
