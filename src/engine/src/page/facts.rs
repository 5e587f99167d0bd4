//! What the page says of the run above everything: when, from which commit, with what and where.
//! Unaware of how it is laid out.

use super::ended::{Ended, Records};
use crate::history::{Git, Header};
use crate::session::Session;

/// Words and what is said under them, in the order in which they are shown.
pub(super) fn of(session: &Session, ended: &Ended<'_>, records: &Records) -> Vec<(String, String)> {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(header) = ended.header {
        facts.push(("run", header.id.clone()));
        facts.push(("started", header.started.clone()));
    }
    if !session.pipeline.overrides.is_empty() {
        facts.push(("--set", session.pipeline.overrides.join("  ")));
    }
    if let Some(header) = ended.header {
        facts.extend(surroundings(header));
    }
    facts.push(("results", amount(records)));
    let owned = |(word, text): (&str, String)| (word.to_owned(), text);
    facts.into_iter().map(owned).collect()
}

/// Environment, commit, machine and device.
fn surroundings(header: &Header) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !header.env.is_empty() {
        let env = header.env.iter();
        let env: Vec<String> = env.map(|(name, value)| format!("{name}={value}")).collect();
        facts.push(("environment", env.join("  ")));
    }
    if let Some(git) = &header.git {
        facts.push(("git commit", commit(git)));
    }
    let machine = header.machine.iter();
    let machine = machine.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    facts.push(("machine", machine.collect::<Vec<_>>().join(", ")));
    facts.push(("device", header.device.clone()));
    facts
}

fn commit(git: &Git) -> String {
    match git.dirty {
        Some(true) => format!("{}, with changes", git.commit),
        _ => git.commit.clone(),
    }
}

/// How many stages have a result, and what these take.
fn amount(records: &Records) -> String {
    let bytes = records.values().map(|(_, record)| record.amount().bytes);
    let megabytes = bytes.sum::<u64>() as f64 / 1e6;
    format!("{} stages, {megabytes:.1} MB in the cache", records.len())
}
