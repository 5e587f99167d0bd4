//! The log of a stage, whoever computes it: when it began, how far it was, what it said, how it ended, each with its time.
//! Unaware of processes, which write what they print into the same file. A command's log is what the command prints, alone.
//!
//! ```text
//!   begin ── new file, or longer at a further try ── event, at most every few seconds ── end
//! ```

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diagnostics::shown;
use spec::{Event, Kind};

use super::context::Clock;
use super::executor::{Computed, Task};
use super::failure::Failure;

/// Progress is noted this often; its last step, and a validation, always.
const EVERY: Duration = Duration::from_secs(2);

/// A stage's log while the stage runs. What cannot be written is left out: a full disk shows up where results are written.
pub(super) struct Log<'a> {
    file: Option<File>,
    clock: &'a Clock,
    told: Mutex<Told>,
}

/// What was noted of progress.
#[derive(Default)]
struct Told {
    at: Option<Instant>,
    psnr: Option<f64>,
}

impl<'a> Log<'a> {
    /// Begins the log of a task.
    pub fn begin(task: &Task<'_>, clock: &'a Clock) -> Self {
        let opened = open(&task.log, task.attempt);
        let log = Self {
            file: opened.ok().filter(|_| !is_its_own(&task.job.stage)),
            clock,
            told: Mutex::default(),
        };
        let (kind, device, threads) = (task.job.stage.name(), task.job.device, task.job.threads);
        log.line(&format!(
            "{kind} begins on {device}, with {}",
            shown::counted(threads, "thread")
        ));
        log
    }

    /// Notes what the stage says.
    pub fn event(&self, event: &Event) {
        match event {
            Event::Progress { .. } => self.progress(event),
            Event::Note { message } => self.line(&format!("note: {message}")),
            Event::Failed(_) | Event::Done { .. } => {}
        }
    }

    fn progress(&self, event: &Event) {
        let Event::Progress {
            step, total, psnr, ..
        } = event
        else {
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.at.is_none_or(|at| at.elapsed() >= EVERY);
        if is_due || step == total || *psnr != told.psnr {
            (told.at, told.psnr) = (Some(Instant::now()), *psnr);
            self.line(&progress_in_words(event).unwrap_or_default());
        }
    }

    /// Notes how the stage ended, before its result is kept.
    pub fn end(&self, result: &Result<Computed, Failure>) {
        match result {
            Ok(_) => self.line("done"),
            Err(failure) => {
                let what = &failure.report.what;
                let word = if failure.report.interrupted {
                    "stopped"
                } else {
                    "failed"
                };
                self.line(&format!("{word}: {}", what.message));
                if !what.hint.is_empty() {
                    self.line(&format!("hint: {}", what.hint));
                }
            }
        }
    }

    fn line(&self, text: &str) {
        if let Some(mut file) = self.file.as_ref() {
            // One write, so that no line of a process comes between its parts.
            let line = format!("{}  {}\n", (self.clock)(), shown::said(text));
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// How far a stage is, in words; `None` for other events.
pub fn progress_in_words(event: &Event) -> Option<String> {
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
    Some(text)
}

/// Whether the log of such a stage is what a program prints.
const fn is_its_own(kind: &Kind) -> bool {
    matches!(kind, Kind::Command(_))
}

/// A log at its beginning: empty at the first try, with a line more at each further one.
fn open(path: &Path, attempt: u32) -> std::io::Result<File> {
    let mut file = append(path)?;
    if attempt > 1 {
        writeln!(file, "-- try {attempt} --")?;
    } else {
        file.set_len(0)?;
    }
    Ok(file)
}

/// A log to write on in. All who write into it append: what one of them wrote is never written over.
pub(super) fn append(path: &Path) -> std::io::Result<File> {
    files::open_with(File::options().create(true).append(true), path)
}
