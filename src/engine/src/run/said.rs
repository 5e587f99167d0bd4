//! What a worker says on its standard output: events, a line each; what is none of them goes to the log.
//! Unaware of processes. A worker is another program, and what it prints may be anything, of any length.
//!
//! ```text
//!   bytes ── lines, each cut at LONGEST ──┬─ an event ──> the last word of its job, or whoever shows progress
//!                                         └─ else ──────> log
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use spec::{Event, Said};

use super::executor::OnEventOf;

/// The most bytes of a line that are looked at; of a longer one the rest is counted.
const LONGEST: u64 = 1 << 20;

/// The most jobs of one worker whose last words are kept.
const MOST_JOBS: usize = 1 << 16;

/// Reads events until the output is closed; returns the last one of each job. Lines that are no events go to the log.
pub(super) fn read_events(
    out: Option<impl Read>,
    log: &Path,
    on_event: &OnEventOf<'_>,
) -> BTreeMap<usize, Event> {
    // The log is a convenience; a full disk shows up where results are written.
    let mut log = OpenOptions::new().append(true).open(log).ok();
    out.map(|out| last_words(out, &mut log, on_event))
        .unwrap_or_default()
}

/// The same, of any bytes.
pub fn last_words(
    out: impl Read,
    log: &mut Option<File>,
    on_event: &OnEventOf<'_>,
) -> BTreeMap<usize, Event> {
    let mut out = BufReader::new(out);
    let mut last = BTreeMap::new();
    while let Some(line) = next_line(&mut out) {
        match serde_json::from_str::<Said>(&line) {
            Ok(Said { job, .. }) if job >= MOST_JOBS => write(log, &line),
            Ok(Said {
                job,
                event: event @ (Event::Failed(_) | Event::Done { .. }),
            }) => drop(last.insert(job, event)),
            Ok(Said { job, event }) => on_event(job, event),
            Err(_) => write(log, &line),
        }
    }
    last
}

/// The next line without its end; none where the output is over. Bytes that are not UTF-8 are no reason to stop: the
/// worker would wait for ever for somebody to read on.
pub fn next_line(out: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = out.by_ref().take(LONGEST).read_until(b'\n', &mut bytes);
    if read.ok()? == 0 {
        return None;
    }
    let mut more = 0;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if bytes.len() as u64 == LONGEST {
        more = skip_line(out);
    }
    let mut line = String::from_utf8_lossy(&bytes).into_owned();
    if more > 0 {
        line += &format!("… ({more} bytes more)");
    }
    Some(line)
}

/// Passes over the rest of a line; how many bytes that were.
fn skip_line(out: &mut impl BufRead) -> u64 {
    let mut skipped = 0;
    loop {
        let (used, is_over) = match out.fill_buf() {
            Ok(bytes) => match bytes.iter().position(|b| *b == b'\n') {
                Some(end) => (end + 1, true),
                None => (bytes.len(), bytes.is_empty()),
            },
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return skipped,
        };
        out.consume(used);
        skipped += used as u64;
        if is_over {
            return skipped;
        }
    }
}

fn write(log: &mut Option<File>, line: &str) {
    if let Some(log) = log {
        let _ = writeln!(log, "{line}"); // as above
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_line_without_an_end_takes_no_more_room_than_any_other() {
        let done = "{\"event\":\"done\",\"facts\":{}}\n";
        let long = "x".repeat(5 << 20);
        let text = format!("{long}\n{done}");
        let mut bytes = text.as_bytes();
        let first = next_line(&mut bytes).unwrap();
        assert!(first.len() < 2 << 20, "{}", first.len());
        assert!(
            first.ends_with("x… (4194305 bytes more)"),
            "{}",
            &first[1 << 20..]
        );
        assert_eq!(next_line(&mut bytes).unwrap(), done.trim());
        assert_eq!(next_line(&mut bytes), None);
    }

    #[test]
    fn what_is_not_utf_8_does_not_end_the_conversation() {
        let text = b"\xff\xfe\n\n{\"event\":\"done\",\"facts\":{}}";
        let last = last_words(&text[..], &mut None, &|_, _| {});
        assert!(matches!(last[&0], Event::Done { .. }));
    }
}
