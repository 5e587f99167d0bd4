//! How far a stage is, in words: step, loss, images a second, time left.
//! Unaware of terminals.

use std::time::{Duration, Instant};

use engine::run::progress_in_words;
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
    let mut text = progress_in_words(event)?;
    let Event::Progress { step, total, .. } = event else {
        return None;
    };
    if let Some(left) = left(*step, *total, start) {
        text += &format!("  {} left", clock(left));
    }
    Some(text)
}

/// The time left at the speed so far; `None` before there is one.
pub fn left(step: u64, total: u64, start: Start) -> Option<Duration> {
    let done = step.checked_sub(start.step).filter(|d| *d > 0)?;
    let each = start.at.elapsed().as_secs_f64() / done as f64;
    seconds(each * total.saturating_sub(step) as f64)
}

/// So many seconds, as far as a clock has a place for them: what a worker says, and what was measured while a clock was
/// set, can be any number.
pub fn seconds(seconds: f64) -> Option<Duration> {
    (0.0..LONGEST)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// A thousand years; nobody waits for what takes longer.
const LONGEST: f64 = 3.2e10;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_steps_has_a_line() {
        for (first, step, total) in [
            (0, 1, u64::MAX),
            (0, u64::MAX, 1),
            (u64::MAX, 0, 0),
            (u64::MAX - 1, u64::MAX, u64::MAX),
            (0, 1, u64::MAX / 3),
        ] {
            let mut start = Start::new(first);
            start.at = start
                .at
                .checked_sub(Duration::from_secs(100))
                .unwrap_or(start.at);
            let event = Event::Progress {
                step,
                total,
                unit: "image".into(),
                loss: Some(f64::MAX),
                psnr: Some(-f64::MAX),
                images_per_second: Some(f64::MIN_POSITIVE),
            };
            let text = describe(&event, start).unwrap_or_default();
            assert!(text.starts_with(&format!("image {step}/{total}")), "{text}");
        }
    }

    #[test]
    fn seconds_that_no_clock_has_are_none() {
        assert_eq!(seconds(1.5), Some(Duration::from_millis(1500)));
        for odd in [-1.0, f64::NAN, f64::INFINITY, 1e300, 1.9e19] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }
}
