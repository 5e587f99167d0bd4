//! How far a stage is, in words: step, loss, images a second, time left.
//! Unaware of terminals.

use std::time::{Duration, Instant};

use spec::Event;

/// When a stage was first seen at work, and at which step.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    at: Instant,
    step: u64,
}

impl Start {
    /// The first event of a stage.
    pub fn new(step: u64) -> Self {
        Self {
            at: Instant::now(),
            step,
        }
    }
}

/// What an event says of progress, in one line; `None` for other events.
pub fn describe(event: &Event, start: Start) -> Option<String> {
    let Event::Progress {
        step,
        total,
        unit,
        loss,
        psnr,
        images_per_second,
    } = event
    else {
        return None;
    };
    let mut text = format!("{unit} {step}/{total}");
    if let Some(loss) = loss {
        text += &format!("  loss {loss:.5}");
    }
    if let Some(psnr) = psnr {
        text += &format!("  PSNR {psnr:.3} dB");
    }
    if let Some(rate) = images_per_second {
        text += &format!("  {rate:.1} images/s");
    }
    if let Some(left) = left(*step, *total, start) {
        text += &format!("  {} left", clock(left));
    }
    Some(text)
}

/// The time left at the speed so far; `None` before there is one.
fn left(step: u64, total: u64, start: Start) -> Option<Duration> {
    let done = step.checked_sub(start.step).filter(|d| *d > 0)?;
    let each = start.at.elapsed().as_secs_f64() / done as f64;
    // None where it is longer than can be said.
    Duration::try_from_secs_f64(each * total.saturating_sub(step) as f64).ok()
}

/// `1:05` or `2:01:05`.
pub fn clock(duration: Duration) -> String {
    let s = duration.as_secs();
    let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
