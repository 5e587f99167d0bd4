//! Writes the journal of one run as it goes.
//! Unaware of stages' results. Lines are appended without a flush: a power cut may lose the last of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::folder;
use super::record::{End, Header, Keys, Line, StageLine};

/// The journal of a run that goes on. Dropped without an end it is that of a killed run.
#[derive(Debug)]
pub struct Journal {
    file: File,
    lock: File,
    lock_path: PathBuf,
}

/// A name for a run that starts now: date and time in UTC to the millisecond, so that names sort by time, and two digits
/// that tell runs of one millisecond apart.
pub fn new_id(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let time = humantime::format_rfc3339_seconds(now).to_string();
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at(digits.len().min(8));
    let mixed = since.subsec_nanos() ^ std::process::id().rotate_left(16);
    let tail = mixed.wrapping_mul(0x9e37_79b9) >> 24;
    format!("{date}-{time}-{:03}{tail:02x}", since.subsec_millis())
}

impl Journal {
    /// Begins the journal; `header.keys` is filled in here.
    pub fn begin(cache: &Path, mut header: Header, keys: &Keys) -> io::Result<Self> {
        let folder = folder(cache);
        fs::create_dir_all(folder.join("keys"))?;
        header.keys = write_keys(&folder, keys)?;
        let lock_path = folder.join(format!("{}.lock", header.id));
        let lock = File::create(&lock_path)?;
        // Without locks on this disk a run that was killed looks as if it went on.
        let _ = lock.try_lock();
        let mut journal = Self {
            file: File::create_new(folder.join(format!("{}.jsonl", header.id)))?,
            lock,
            lock_path,
        };
        journal.write(&Line::Run(Box::new(header)))?;
        Ok(journal)
    }

    /// A stage has ended.
    pub fn stage(&mut self, line: StageLine) -> io::Result<()> {
        self.write(&Line::Stage(line))
    }

    /// The run has ended.
    pub fn end(mut self, end: End) -> io::Result<()> {
        self.write(&Line::End(end))?;
        drop(self.lock);
        fs::remove_file(&self.lock_path)
    }

    /// One write a line, so that lines of a killed run are whole or torn at the end.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        self.file.write_all(&line.encode()?)
    }
}

/// How a file of keys with this content is called.
pub(super) fn name_of(keys: &[u8]) -> String {
    format!("{:.32}", store::Digest::of(keys))
}

/// Writes the keys unless they are there; returns the name of their file.
fn write_keys(folder: &Path, keys: &Keys) -> io::Result<String> {
    let text = serde_json::to_vec(keys)?;
    let name = name_of(&text);
    let path = folder.join("keys").join(&name);
    let is_there = || files::read(&path, text.len() as u64).is_ok_and(|found| found == text);
    if !is_there() {
        let beside = folder.join(format!("keys/.{name}-{}", std::process::id()));
        fs::write(&beside, &text)?;
        fs::rename(&beside, &path)?;
    }
    Ok(name)
}
