//! The right to compute a key: asking for it, waiting for whoever has it, and saying who that is.
//! Unaware of how a stage computes.

use std::time::{Duration, Instant};

use spec::{Event, Read, reads};
use store::{Claim, Holder, Key, Made, Record};

use super::context::Run;
use super::executor::OnEvent;
use super::failure::Failure;

/// What to do while another run is at a stage.
pub(super) enum Patience<'a> {
    /// Wait for its result, and say so.
    Wait(&'a OnEvent<'a>),
    /// Come back later.
    None,
}

/// How often a busy key is asked for.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The right to compute, or why there is none; with patience, never [`Claim::Busy`]. A result that was made from other
/// bytes of its inputs is made anew, and so is any where `anew` asks for it (`--force`). Another run may be at it: then its
/// result will do. What a dead run has left may not: it ends in a moment.
pub(super) fn claim(
    run: &Run<'_>,
    at: usize,
    key: &Key,
    mut anew: bool,
    patience: &Patience<'_>,
) -> Result<Claim, Failure> {
    let (mut wait, mut has_differed) = (Wait::default(), false);
    loop {
        let claim = if anew {
            run.store.ticket_anew(key)?
        } else {
            run.store.ticket(key)?
        };
        if anew && matches!(claim, Claim::Busy) {
            let is_of_the_dead = run.store.holder(key).is_some_and(|h| h.is_gone);
            if is_of_the_dead {
                rest(run)?;
                continue;
            }
            anew = false;
        }
        if let Claim::Done(record) = &claim
            && !is_of_these_inputs(run, at, record)
        {
            if has_differed {
                rest(run)?; // somebody else holds it, or has made it again
            }
            (anew, has_differed) = (true, true);
            continue;
        }
        let Patience::Wait(on_event) = patience else {
            return Ok(claim);
        };
        match claim {
            Claim::Busy => {
                if let Some(message) = wait.news(run.store.holder(key)) {
                    on_event(Event::Note { message });
                }
                rest(run)?;
            }
            ready => return Ok(ready),
        }
    }
}

/// A moment until a busy key is asked for again.
fn rest(run: &Run<'_>) -> Result<(), Failure> {
    if run.stop.level() > 0 {
        return Err(Failure::interrupted());
    }
    std::thread::sleep(ASK_EVERY);
    Ok(())
}

fn is_of_these_inputs(run: &Run<'_>, at: usize, record: &Record) -> bool {
    run.keep_consumers || differing(run, at, &Made::of(record)).is_empty()
}

/// What stage `at` reads whose bytes are not those that this result of it was made from. What is not recorded, or not
/// stored now, does not differ.
pub(super) fn differing(run: &Run<'_>, at: usize, made: &Made) -> Vec<usize> {
    let Some(consumed) = &made.consumed else {
        return Vec::new();
    };
    let differs = |edge: &Read<'_>| {
        let then = consumed.get(&*edge.role);
        let key = run.plan.get(edge.stage).and_then(|planned| planned.key);
        let now = key.and_then(|key| run.store.made(&key));
        then.zip(now)
            .is_some_and(|(then, now)| *then != now.content)
    };
    let edges = reads(run.pipeline, at).filter(differs);
    edges.map(|edge| edge.stage).collect()
}

/// A wait for a busy key: what was said of it.
#[derive(Default)]
struct Wait {
    begin: Option<Instant>,
    has_told: bool,
    told: Option<Holder>,
}

/// A key is held for a moment by a child of ours that is being started, and by our own commits: not worth a word.
const NAMELESS: Duration = Duration::from_secs(1);

impl Wait {
    /// What there is to say now.
    fn news(&mut self, holder: Option<Holder>) -> Option<String> {
        let begin = *self.begin.get_or_insert_with(Instant::now);
        let is_news = match holder {
            None => !self.has_told && begin.elapsed() > NAMELESS,
            Some(_) => self.told != holder,
        };
        is_news.then(|| {
            let text = waiting(holder.as_ref());
            (self.has_told, self.told) = (true, holder);
            text
        })
    }
}

fn waiting(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "another run is at this stage; waiting for its result".to_owned();
    };
    let Holder {
        pid,
        host,
        command,
        since,
        is_gone,
    } = holder;
    if *is_gone {
        return format!(
            "waiting: pid {pid} on {host}, which ran it, is dead; what it had started is being ended ({command})"
        );
    }
    let since = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(*since));
    let since = since.map_or_else(String::new, |at| {
        format!(", begun {}", humantime::format_rfc3339_seconds(at))
    });
    format!("waiting for its result: pid {pid} on {host} runs it ({command}{since})")
}
