//! What is known of a run when its page is made: how it went, and the records of its stages.
//! Unaware of what the page shows of it.

use std::collections::BTreeMap;

use plan::{Plan, Verdict};
use store::{Key, Record};

use crate::history::{Header, StageLine};
use crate::session::Session;

/// What is known of a run when its page is made.
pub struct Ended<'a> {
    /// How it began; none where it is not in the history.
    pub header: Option<&'a Header>,
    /// The stages that ended.
    pub lines: &'a [StageLine],
    /// A verdict in words.
    pub why: fn(&Verdict) -> Vec<String>,
    /// Whether it goes on: the page then loads itself again.
    pub going_on: bool,
}

/// The stages with results, by number.
pub type Records = BTreeMap<usize, (Key, Record)>;

/// The stages of the plan that have a result.
pub fn records(session: &Session, plan: &Plan) -> Records {
    let record = |p: &plan::Planned| {
        let key = p.key?;
        Some((p.stage, (key, session.store.record(&key).ok()??)))
    };
    plan.stages.iter().filter_map(record).collect()
}
