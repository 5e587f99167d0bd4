//! The page of the reports while a run goes on.
//! Unaware of how events are shown, which is done by the display within.

use std::time::{Duration, Instant};

use plan::{Plan, Verdict};
use spec::Pipeline;

use crate::history::Header;
use crate::page::{self, Ended};
use crate::paths;
use crate::recording::Recording;
use crate::reports::Index;
use crate::run::{Display, RunEvent};
use crate::session::Session;

/// At least so long between two pages.
const EVERY: Duration = Duration::from_secs(20);

/// The same where there was nothing to show yet: results are seen a moment after they are finished.
const SOON: Duration = Duration::from_millis(200);

/// A page may take one part in so many of a run's time.
const SHARE: u32 = 50;

/// A display that writes the page now and then.
pub struct Live<'a> {
    /// What is shown beside.
    pub inner: &'a mut Recording,
    /// The run.
    pub session: &'a Session,
    /// Its plan.
    pub plan: &'a Plan,
    /// How it began.
    pub header: Option<&'a Header>,
    /// A verdict in words.
    pub why: fn(&Verdict) -> Vec<String>,
    /// When the next page is due; the first one at the first result that it can show.
    pub due: Option<Instant>,
}

impl Display for Live<'_> {
    fn show(&mut self, pipeline: &Pipeline, event: &RunEvent<'_>) {
        self.inner.show(pipeline, event);
        let RunEvent::Finished { stage, .. } = event else {
            return;
        };
        let is_shown = page::is_subject(&pipeline.stages[*stage].kind);
        if is_shown && self.due.is_none_or(|due| Instant::now() >= due) {
            let begin = Instant::now();
            let rest = if self.write() { EVERY } else { SOON };
            self.due = Some(Instant::now() + rest.max(begin.elapsed() * SHARE));
        }
    }
}

impl Live<'_> {
    /// Writes the page; whether there was something to show. What is wrong with it is said at the end of the run, when it
    /// is written again.
    fn write(&self) -> bool {
        let pipeline = &self.session.pipeline;
        let root = &self.session.root;
        let below = paths::folder(&pipeline.file, &pipeline.overrides, root);
        let ended = Ended {
            header: self.header,
            lines: self.inner.lines(),
            why: self.why,
            going_on: true,
        };
        if Index::unfinish(&root.join(&below)).is_err() {
            return false; // the folder cannot be written, which the end of the run says
        }
        let all = self.session.plan_of_all(self.plan);
        let plan = all.as_ref().unwrap_or(self.plan);
        let records = page::records(self.session, plan);
        let written = page::write(self.session, plan, &ended, &records, &below);
        written.is_ok_and(|files| !files.is_empty())
    }
}
