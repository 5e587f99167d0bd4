//! Says on standard output how a stage goes, and knows whether it is asked to stop.
//! Unaware of who listens.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spec::{Event, Said};

use super::WorkError;

/// Progress is said at most this often.
const EVERY: Duration = Duration::from_millis(200);

/// The way out for events of one job.
pub struct Reporter {
    job: usize,
    stop: Arc<AtomicBool>,
    begin: Instant,
    last_millis: AtomicU64,
}

impl Reporter {
    /// For the job of this place among those that the process was given. `stop` is set by signals.
    pub fn new(stop: Arc<AtomicBool>, job: usize) -> Self {
        Self {
            job,
            stop,
            begin: Instant::now(),
            last_millis: AtomicU64::new(0),
        }
    }

    /// Says an event. When nobody listens any more the worker is about to be told so by its death signal.
    pub fn send(&self, event: &Event) {
        let said = Said {
            job: self.job,
            event: event.clone(),
        };
        if let Ok(line) = serde_json::to_string(&said) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}");
            let _ = out.flush();
        }
    }

    /// Says something a person should know.
    pub fn note(&self, message: impl Into<String>) {
        self.send(&Event::Note {
            message: message.into(),
        });
    }

    /// Says progress, unless it was said a moment ago; the last step is always said.
    pub fn progress(&self, event: &Event) {
        let Event::Progress { step, total, .. } = event else {
            return;
        };
        let now = self.begin.elapsed();
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        if step == total || now.saturating_sub(last) >= EVERY {
            self.last_millis
                .store(now.as_millis() as u64, Ordering::Relaxed);
            self.send(event);
        }
    }

    /// Says that `step` of `total` images are done.
    pub fn images(&self, step: usize, total: usize) {
        let rate = step as f64 / self.begin.elapsed().as_secs_f64().max(1e-3);
        self.progress(&Event::Progress {
            step: step as u64,
            total: total as u64,
            unit: "image".into(),
            loss: None,
            psnr: None,
            images_per_second: Some(rate),
        });
    }

    /// Whether the stage is asked to stop.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// An error when the stage is asked to stop, for stages that start anew next time.
    pub fn check_stop(&self) -> Result<(), WorkError> {
        if self.stopping() {
            Err(WorkError::interrupted("asked to stop"))
        } else {
            Ok(())
        }
    }
}
