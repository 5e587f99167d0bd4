//! Copies what a command prints into its log, with `***` in place of each secret.
//! Unaware of commands. A secret that is encoded (base64, percent signs) is not found.
//!
//! ```text
//!   child's stdout and stderr ── one pipe ── Masker: finds secrets across the borders of chunks ── log
//! ```

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What stands in place of a secret.
const MASK: &[u8] = b"***";

/// Shorter texts would be found everywhere: they are not masked.
const SHORTEST: usize = 4;

/// How long the log may take to end after the command has: what it left behind may hold the pipe for ever.
const GRACE: Duration = Duration::from_secs(2);

/// Where a command prints to.
pub(super) struct Outlet {
    pub stdout: Stdio,
    pub stderr: Stdio,
    copied: Option<Receiver<()>>,
}

impl Outlet {
    /// Into the log as it is where there is nothing to mask, else through a thread of its own.
    pub fn new<'s>(log: File, secrets: impl Iterator<Item = &'s str>) -> io::Result<Self> {
        let mut masker = Masker::new(secrets);
        if masker.patterns.is_empty() {
            return Ok(Self {
                stderr: log.try_clone()?.into(),
                stdout: log.into(),
                copied: None,
            });
        }
        let (reader, writer) = io::pipe()?;
        let (done, copied) = channel();
        let copy = move || {
            // A log that cannot be written shows where results are; the pipe is read on, or the command would wait.
            let _ = copy(reader, log, &mut masker);
            drop(done);
        };
        std::thread::Builder::new().name("log".into()).spawn(copy)?;
        Ok(Self {
            stderr: writer.try_clone()?.into(),
            stdout: writer.into(),
            copied: Some(copied),
        })
    }

    /// Takes the log's end out, to be waited for once the command has ended.
    pub fn end(&mut self) -> LogEnd {
        LogEnd(self.copied.take())
    }
}

/// The end of a log.
pub(super) struct LogEnd(Option<Receiver<()>>);

impl LogEnd {
    /// Waits until all is copied that the command has printed.
    pub fn wait(self) {
        if let Some(copied) = self.0 {
            // It is an error either way: the thread has ended, or the time is over.
            let _ = copied.recv_timeout(GRACE);
        }
    }
}

fn copy(mut from: PipeReader, mut to: File, masker: &mut Masker) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    let mut written = Ok(());
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let text = masker.next(&chunk[..read]);
        written = written.and_then(|()| to.write_all(&text));
    }
    written.and_then(|()| to.write_all(&masker.end()))
}

/// Replaces texts in a stream.
pub struct Masker {
    /// The longest first: of two that begin alike it is the whole one that goes.
    patterns: Vec<Vec<u8>>,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
}

impl Masker {
    /// A secret of several lines is known by each of them too, and as JSON spells it.
    pub fn new<'s>(secrets: impl Iterator<Item = &'s str>) -> Self {
        let mut patterns = Vec::new();
        for secret in secrets {
            let json = serde_json::to_string(secret).unwrap_or_default();
            let forms = [secret, json.trim_matches('"')].into_iter();
            let lines = secret.lines().map(str::trim);
            patterns.extend(forms.chain(lines).map(|form| form.as_bytes().to_vec()));
        }
        patterns.retain(|pattern| pattern.len() >= SHORTEST);
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        patterns.dedup();
        Self {
            patterns,
            held: Vec::new(),
        }
    }

    /// The next piece of the stream without secrets, as far as that is known.
    fn next(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(chunk);
        self.masked(&text, false)
    }

    /// What was held back.
    fn end(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.held);
        self.masked(&text, true)
    }

    /// A whole text without secrets.
    pub fn whole(&mut self, text: &[u8]) -> Vec<u8> {
        self.masked(text, true)
    }

    fn masked(&mut self, text: &[u8], is_end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let begins = |pattern: &&Vec<u8>| pattern.first() == rest.first();
            let mut likely = self.patterns.iter().filter(begins);
            if !is_end
                && likely
                    .clone()
                    .any(|p| p.len() > rest.len() && p.starts_with(rest))
            {
                self.held = rest.to_vec();
                break;
            }
            if let Some(found) = likely.find(|p| rest.starts_with(p)) {
                out.extend_from_slice(MASK);
                at += found.len();
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], text: &str, size: usize) -> String {
        let mut masker = Masker::new(secrets.iter().copied());
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            out.extend(masker.next(chunk));
        }
        out.extend(masker.end());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn secrets_are_found_across_the_borders_of_chunks() {
        let text = "a hunter22 b hunter2hunter22c hunter";
        for size in 1..=text.len() {
            let found = masked(&["hunter22"], text, size);
            assert_eq!(found, "a *** b hunter2***c hunter", "{size}");
        }
    }

    #[test]
    fn the_longest_of_several_goes_and_short_ones_stay() {
        for size in [1, 3, 100] {
            assert_eq!(
                masked(&["abcd", "abcdef", "xy"], "abcdef abcde xy", size),
                "*** ***e xy"
            );
        }
    }

    #[test]
    fn lines_of_a_secret_and_its_json_are_found() {
        let key = "-----BEGIN\nline one\nline \"two\"\n";
        assert_eq!(masked(&[key], &format!("x{key}y"), 5), "x***y");
        assert_eq!(masked(&[key], "got: line one.", 2), "got: ***.");
        assert_eq!(
            masked(
                &[key],
                "{\"k\":\"-----BEGIN\\nline one\\nline \\\"two\\\"\\n\"}",
                7
            ),
            "{\"k\":\"***\"}"
        );
    }
}
