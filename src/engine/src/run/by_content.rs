//! Content cut-off: a stage whose inputs have the bytes that a stored result was made from takes that result.
//! Unaware of how a stage computes. Keys stay as they are: this is asked only when a key has no result.
//!
//! ```text
//!   manifest without `input.*` lines ─┐
//!   content of each input ────────────┼── BLAKE3 ──> content key ──> records with this one ── whole? ──> commit a copy
//!   where a command's outputs begin ──┘
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use spec::{Edge, Kind};
use store::{Digest, Record, Ticket};

use super::context::Run;
use super::executor::Order;
use super::failure::Failure;

/// The digest of the manifest with inputs by content.
pub(super) fn content_key(
    run: &Run<'_>,
    at: usize,
    manifest: &str,
    consumed: &BTreeMap<String, Digest>,
) -> Digest {
    let mut text: String = (configuration(manifest).flat_map(|line| [line, "\n"])).collect();
    let stage = &run.pipeline.stages[at];
    for (role, content) in consumed {
        let edge = stage.inputs.iter().find(|edge| edge.role == *role);
        let outputs = edge.map_or_else(Vec::new, |edge| outputs(run, &stage.kind, edge));
        // A String takes all.
        let _ = writeln!(text, "content {role:?} {content} {outputs:?}");
    }
    Digest::of(text.as_bytes())
}

/// Where a command's outputs begin, which a reading command sees by their last names. The content has the paths of files, and
/// does not say which part of them is an output's; last names alone would not say which content has which.
fn outputs<'a>(run: &'a Run<'_>, reader: &Kind, edge: &Edge) -> Vec<&'a Path> {
    if !matches!(reader, Kind::Command(_)) {
        return Vec::new();
    }
    let outputs = &run.pipeline.stages[edge.stage].places.outputs;
    let mut outputs: Vec<&Path> = outputs.iter().map(PathBuf::as_path).collect();
    outputs.sort_unstable();
    outputs
}

/// A record of the same configuration over the same bytes; its outputs then lie in the folder of the ticket.
///
/// Not for stages that are forced, and not for reports: what they write holds keys and labels.
pub(super) fn find(
    run: &Run<'_>,
    at: usize,
    order: &Order,
    ticket: &Ticket,
) -> Result<Option<Record>, Failure> {
    let stage = &run.pipeline.stages[at];
    let may = run.reuses && !stage.kind.is_report() && !run.is_forced(at);
    let wanted = order.facts.content_key().filter(|_| may);
    let Some(wanted) = wanted.filter(|_| !stage.inputs.is_empty()) else {
        return Ok(None);
    };
    for key in run.store.with_content_key(&wanted) {
        // A damaged one is as good as none; whoever reads it under its own key repairs it.
        let Ok(Some(record)) = run.store.record(&key) else {
            continue;
        };
        if is_alike(&record, order) && run.store.adopt(&record, ticket)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether the record itself says so: the map of content keys may be out of date.
fn is_alike(record: &Record, order: &Order) -> bool {
    let (one, other) = (&record.facts, &order.facts);
    one.content_key() == other.content_key()
        && one.consumed().is_some()
        && one.consumed() == other.consumed()
        && configuration(&record.manifest).eq(configuration(&order.manifest))
}

/// The lines of a manifest but for its inputs.
fn configuration(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines();
    lines.filter(|line| !line.starts_with("input."))
}
