//! Writes the journal of a run beside what is shown of it.
//! Unaware of terminals. A journal that cannot be written costs the history of this run, not the run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use plan::{Plan, Planned};
use spec::{Device, Pipeline};
use store::Facts;

use crate::history::{End, Git, Header, Journal, Seconds, StageEnd, StageLine, new_id};
use crate::run::{Display, Origin, Outcome, RunEvent};
use crate::session::Session;

/// A display whose events are noted too.
pub struct Recording {
    inner: Box<dyn Display>,
    journal: Option<Journal>,
    lines: Vec<StageLine>,
}

/// Begins the journal of a run, which begins like this; says so where it cannot.
pub fn begin(session: &Session, plan: &Plan, machine: &Facts) -> Option<(Header, Journal)> {
    let now = SystemTime::now();
    let (fresh, stale, blocked) = plan.counts();
    let stages = &session.pipeline.stages;
    let key = |p: &Planned| Some((stages[p.stage].name.clone(), p.key?.to_string()));
    let header = Header {
        format: crate::history::FORMAT,
        id: new_id(now),
        started: humantime::format_rfc3339_seconds(now).to_string(),
        command: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        file: session.pipeline_path().display().to_string(),
        overrides: session.pipeline.overrides.clone(),
        env: session.pipeline.env_used.clone(),
        git: git(&session.root, stale > 0),
        machine: machine.0.clone(),
        device: session.device.to_string(),
        planned: [stale, fresh, blocked],
        keys: String::new(),
    };
    let keys = plan.stages.iter().filter_map(key).collect();
    Journal::begin(session.store.root(), header.clone(), &keys)
        .map(|journal| (header, journal))
        .map_err(|e| {
            session.warn(&format!("this run will not be in the history: {e}"));
        })
        .ok()
}

/// The commit that the folder is at. Whether files differ from it is asked only when something runs: it takes a while.
fn git(root: &Path, ask_for_dirt: bool) -> Option<Git> {
    let inside = root.ancestors().any(|folder| folder.join(".git").exists());
    if !inside {
        return None;
    }
    let ask = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let commit = ask(&["rev-parse", "HEAD"])?;
    let dirty = ask_for_dirt
        .then(|| ask(&["status", "--porcelain", "--untracked-files=no"]))
        .flatten();
    Some(Git {
        commit,
        dirty: dirty.map(|text| !text.is_empty()),
    })
}

impl Recording {
    /// Shows events on `inner` and notes them in `journal`.
    pub fn new(inner: Box<dyn Display>, journal: Option<Journal>) -> Self {
        Self {
            inner,
            journal,
            lines: Vec::new(),
        }
    }

    /// The stages that ended.
    pub fn lines(&self) -> &[StageLine] {
        &self.lines
    }

    fn note(&mut self, line: StageLine) {
        if let Some(journal) = &mut self.journal
            && journal.stage(line.clone()).is_err()
        {
            // A full disk shows where results are written; the history just ends here.
            self.journal = None;
        }
        self.lines.push(line);
    }

    /// The run has ended.
    pub fn end(self, session: &Session, outcome: Outcome, exit: u8, took: Duration) {
        let end = End {
            ended: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            seconds: took.as_secs_f64(),
            ran: outcome.ran,
            fresh: outcome.fresh,
            failed: outcome.failed,
            not_run: outcome.not_run,
            exit,
        };
        let cache = session.store.root();
        // Nothing is lost but history, and that was said when it could not begin.
        let _ = self.journal.map(|journal| journal.end(end));
        if !self.lines.is_empty() {
            let mut seconds = Seconds::read(cache);
            for line in &self.lines {
                seconds.note(device_class(session.device), line);
            }
            let _ = seconds.write(cache);
        }
    }
}

/// What estimates tell apart.
pub const fn device_class(device: Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
    }
}

impl Display for Recording {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        let line = |stage: usize, end, seconds, message: &str| {
            let stage = &pipeline.stages[stage];
            StageLine {
                name: stage.name.clone(),
                kind: stage.kind.name().to_owned(),
                end,
                seconds,
                iterations: stage.kind.schedule().map(spec::kinds::Schedule::limit),
                message: message.to_owned(),
            }
        };
        match event {
            RunEvent::Finished {
                stage,
                seconds,
                origin,
            } => {
                let end = match origin {
                    Origin::Ran => StageEnd::Done,
                    Origin::ByOtherRun => StageEnd::ByOther,
                    Origin::SameInputs(_) => StageEnd::SameInputs,
                };
                self.note(line(*stage, end, *seconds, ""));
            }
            RunEvent::Failed {
                stage,
                failure,
                seconds,
            } => {
                let end = if failure.report.interrupted {
                    StageEnd::Stopped
                } else {
                    StageEnd::Failed
                };
                self.note(line(*stage, end, *seconds, &failure.report.what.message));
            }
            _ => {}
        }
        self.inner.show(pipeline, event);
    }
}
