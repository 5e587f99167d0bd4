//! Ctrl-C and SIGTERM: once stops at the next checkpoint, twice stops at once.
//! Unaware of what is running.

use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Fatal, say};
use crate::run::Stop;

/// Raises the level of the returned [`Stop`] at each signal from now on.
pub fn watch() -> Result<Arc<Stop>, Fatal> {
    let stop = Arc::new(Stop::default());
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Fatal::failed(format!("cannot watch for signals: {e}"), ""))?;
    let raised = Arc::clone(&stop);
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if raised.level() == 0 {
                say("stopping at the next checkpoint; once more to stop at once");
            }
            raised.raise();
        }
    });
    Ok(stop)
}
