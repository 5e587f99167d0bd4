//! Writes keys into a tar archive and takes them in again, every byte verified on both ways.
//! Unaware of where an archive comes from: a hostile one is refused, and can do no more than fill the disk it may use.
//!
//! `<key>/record.json` (as it lies in the cache), then `<key>/outputs/<path>` for each file in order of the paths; no
//! folders, no links, no times: what links and empty folders there are is in the record. Names of more than 100 bytes use
//! the GNU extension.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::symlink;

use tar::{Builder, Entry, EntryType, Header};

use crate::atomic::parent;
use crate::copy::{make_runnable, pump};
use crate::error::{at, at_sized};
use crate::output::is_program;
use crate::record::PLAIN;
use crate::{
    Amount, Claim, GroupCommit, Key, Output, OutputKind, Record, Result, Store, StoreError, Ticket,
};

/// The longest name that is taken in; the same as that of the kernel.
const LONGEST_NAME: u64 = 4096;

/// The largest record that is taken in: that of about a million outputs.
const LARGEST_RECORD: u64 = 256 << 20;

/// What was written into an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// The keys, as they were asked for.
    pub keys: Vec<Key>,
    /// Their outputs.
    pub amount: Amount,
}

/// What was taken from an archive.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// Keys that are committed now, in order of the archive.
    pub imported: Vec<Key>,
    /// Keys that were there already.
    pub skipped: Vec<Key>,
    /// Keys that another process is computing.
    pub busy: Vec<Key>,
    /// The outputs of the imported keys.
    pub amount: Amount,
}

impl Store {
    /// Writes committed keys into a tar archive. One that is absent or damaged is an error, and the archive so far is
    /// of no use.
    pub fn export<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
        to: &mut dyn Write,
    ) -> Result<ExportReport> {
        let mut archive = Builder::new(to);
        let mut report = ExportReport::default();
        for key in keys {
            report.amount += self.export_key(key, &mut archive)?;
            report.keys.push(*key);
        }
        let written = archive.into_inner().and_then(Write::flush);
        written.map_err(at("write", "the archive".as_ref()))?;
        Ok(report)
    }

    fn export_key(&self, key: &Key, archive: &mut Builder<&mut dyn Write>) -> Result<Amount> {
        let record = self.record(key)?.ok_or(StoreError::Absent { key: *key })?;
        let path = self.layout().record(key);
        let bytes = record.encode().map_err(io::Error::from);
        let bytes = bytes.map_err(at("encode", &path))?;
        append(
            archive,
            &format!("{key}/record.json"),
            bytes.len() as u64,
            READABLE,
            &*bytes,
        )?;
        for output in record.outputs.iter().filter(|output| output.kind.is_file()) {
            self.export_output(key, output, archive)?;
        }
        Ok(record.amount())
    }

    fn export_output(
        &self,
        key: &Key,
        output: &Output,
        archive: &mut Builder<&mut dyn Write>,
    ) -> Result<()> {
        let path = self.output_dir(key).join(&output.path);
        let file = files::open(&path).map_err(at("read", &path))?;
        let meta = file.metadata().map_err(at("read", &path))?;
        let mode = if output.kind == OutputKind::Executable || is_program(&meta) {
            RUNNABLE
        } else {
            READABLE
        };
        let mut hashing = Hashing {
            from: file.take(output.size),
            hasher: blake3::Hasher::new(),
            read: 0,
        };
        let name = format!("{key}/outputs/{}", output.path);
        append(archive, &name, output.size, mode, &mut hashing)?;
        let is_good =
            hashing.read == output.size && output.digest == hashing.hasher.finalize().into();
        if is_good {
            Ok(())
        } else {
            Err(StoreError::DamagedOutput { path })
        }
    }

    /// Commits the keys of an archive that this cache has not got, each only if all its digests fit. What is committed
    /// when an archive is refused stays.
    pub fn import(&self, from: &mut dyn Read) -> Result<ImportReport> {
        self.check_writable()?;
        let committer = self.committer();
        let mut import = Import {
            store: self,
            committer: &committer,
            open: None,
            report: ImportReport::default(),
        };
        let read = import.read_all(from).and_then(|()| import.close());
        let mut report = import.report;
        let failures = committer.finish();
        report
            .imported
            .retain(|key| !failures.iter().any(|(k, _)| k == key));
        read?;
        match failures.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(report),
        }
    }
}

/// Permissions in an archive: those of a file, and of a program. No others are carried along.
const READABLE: u32 = 0o644;
const RUNNABLE: u32 = 0o755;

fn append(
    archive: &mut Builder<&mut dyn Write>,
    name: &str,
    size: u64,
    mode: u32,
    bytes: impl Read,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_entry_type(EntryType::Regular);
    let done = archive.append_data(&mut header, name, bytes);
    done.map_err(at("write to the archive", name.as_ref()))
}

/// Hashes what is read through it.
struct Hashing<R> {
    from: R,
    hasher: blake3::Hasher,
    read: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.read += n as u64;
        Ok(n)
    }
}

/// A key whose outputs are being read. Without a ticket they are passed over.
struct Open {
    record: Record,
    ticket: Option<Ticket>,
    /// The files among its outputs that have still to come.
    files: std::vec::IntoIter<Output>,
}

impl Open {
    fn new(record: Record, ticket: Option<Ticket>) -> Self {
        let mut files = record.outputs.clone();
        files.retain(|output| output.kind.is_file());
        Self {
            record,
            ticket,
            files: files.into_iter(),
        }
    }
}

struct Import<'a> {
    store: &'a Store,
    committer: &'a GroupCommit,
    open: Option<Open>,
    report: ImportReport,
}

impl Import<'_> {
    /// Looks at raw entries: extensions of the format can say anything about those that follow.
    fn read_all(&mut self, from: &mut dyn Read) -> Result<()> {
        let mut archive = tar::Archive::new(from);
        let entries = archive.entries().map_err(unreadable)?.raw(true);
        let (mut long_name, mut is_empty) = (None, true);
        for entry in entries {
            let mut entry = entry.map_err(unreadable)?;
            is_empty = false;
            match entry.header().entry_type() {
                EntryType::GNULongName => long_name = Some(read_name(&mut entry)?),
                EntryType::Regular => {
                    let name = long_name.take().map_or_else(|| short_name(&entry), Ok)?;
                    self.take(&name, &mut entry)?;
                }
                other => {
                    let name = long_name.take().map_or_else(|| short_name(&entry), Ok)?;
                    return refuse(format!("`{name}` is no regular file ({other:?})"));
                }
            }
        }
        if is_empty {
            return refuse("it holds nothing".to_owned());
        }
        Ok(())
    }

    /// `<key>/record.json` or `<key>/outputs/<path>`; nothing else is ever looked at.
    fn take(&mut self, name: &str, entry: &mut Entry<'_, impl Read>) -> Result<()> {
        let (key, rest) = name.split_once('/').unwrap_or_default();
        let Ok(key) = key.parse::<Key>() else {
            return refuse(format!("`{name}` does not begin with a key"));
        };
        match (rest, rest.strip_prefix("outputs/")) {
            ("record.json", _) => self.take_record(key, name, entry),
            (_, Some(path)) => self.take_output(key, path, name, entry),
            _ => refuse(format!("`{name}` is neither a record nor an output")),
        }
    }

    fn take_record(&mut self, key: Key, name: &str, entry: &mut impl Read) -> Result<()> {
        self.close()?;
        let mut bytes = Vec::new();
        let read = entry.take(LARGEST_RECORD + 1).read_to_end(&mut bytes);
        let read = read.map_err(unreadable)?;
        if read as u64 > LARGEST_RECORD {
            return refuse(format!("`{name}` is larger than {LARGEST_RECORD} bytes"));
        }
        let record = match Record::decode(&bytes, &key) {
            Ok(record) => record,
            Err(what) => return refuse(format!("`{name}` is damaged: {what}")),
        };
        let ticket = match self.store.ticket(&key)? {
            Claim::Ready(ticket) => Some(ticket),
            Claim::Done(_) => {
                self.report.skipped.push(key);
                None
            }
            Claim::Busy => {
                self.report.busy.push(key);
                None
            }
        };
        self.open = Some(Open::new(record, ticket));
        Ok(())
    }

    /// The next output of the record: its path was checked with the record, its size and digest are now.
    fn take_output(
        &mut self,
        key: Key,
        path: &str,
        name: &str,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<()> {
        let open = self.open.as_mut().filter(|open| open.record.key == key);
        let Some(open) = open else {
            return refuse(format!("`{name}` does not follow its record"));
        };
        let Some(output) = open.files.next().filter(|output| output.path == path) else {
            return refuse(format!("`{name}` is not the next output of its record"));
        };
        let size = entry.header().entry_size().map_err(unreadable)?;
        if size != output.size {
            return refuse(format!(
                "`{name}` has {size} bytes, its record says {}",
                output.size
            ));
        }
        let Some(ticket) = &open.ticket else {
            return Ok(());
        };
        // A record of format 1 does not say it; where one does, it decides, and odd permissions are those of a file.
        let can_run = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        let is_program = match open.record.format {
            PLAIN => can_run,
            _ => output.kind == OutputKind::Executable,
        };
        write(ticket, &output, name, entry)?;
        if is_program {
            let path = ticket.out().join(&output.path);
            make_runnable(&path).map_err(at("make runnable", &path))?;
        }
        Ok(())
    }

    /// Commits the key that was being read; refuses one whose outputs did not all come.
    fn close(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let (key, record) = (open.record.key, open.record);
        if let Some(output) = open.files.next() {
            return refuse(format!("it ends before `{key}/outputs/{}`", output.path));
        }
        let Some(ticket) = open.ticket else {
            return Ok(());
        };
        for output in record.outputs.iter().filter(|o| !o.kind.is_file()) {
            make(&ticket, output)?;
        }
        self.committer.commit_copy(ticket, &record)?;
        self.report.amount += record.amount();
        self.report.imported.push(key);
        Ok(())
    }
}

/// Makes a link or an empty folder, when all files are there: nothing is written behind a link.
fn make(ticket: &Ticket, output: &Output) -> Result<()> {
    let path = ticket.out().join(&output.path);
    let folder = parent(&path);
    fs::create_dir_all(folder).map_err(at("create", folder))?;
    let made = match &output.kind {
        OutputKind::Link(to) => symlink(to, &path),
        _ => fs::create_dir(&path),
    };
    made.map_err(at("write", &path))
}

fn write(ticket: &Ticket, output: &Output, name: &str, bytes: &mut impl Read) -> Result<()> {
    let path = ticket.out().join(&output.path);
    let folder = parent(&path);
    fs::create_dir_all(folder).map_err(at("create", folder))?;
    let file = File::create_new(&path).map_err(at("write", &path))?;
    let (size, digest) = pump(bytes, file).map_err(at_sized("write", &path, Some(output.size)))?;
    if size == output.size && digest == output.digest {
        Ok(())
    } else {
        refuse(format!("the bytes of `{name}` are not those of its record"))
    }
}

fn short_name(entry: &Entry<'_, impl Read>) -> Result<String> {
    text(entry.header().path_bytes().into_owned())
}

fn read_name(entry: &mut Entry<'_, impl Read>) -> Result<String> {
    if entry.size() > LONGEST_NAME {
        return refuse(format!("it has a name of {} bytes", entry.size()));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    text(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).or_else(|_| refuse("it has a name that is not UTF-8".to_owned()))
}

fn refuse<T>(what: String) -> Result<T> {
    Err(StoreError::Archive { what })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> StoreError {
    // What `tar` says quotes the file, which may be any other one.
    let what = match (error.raw_os_error(), error.kind()) {
        (Some(_), _) => error.to_string(),
        (None, io::ErrorKind::UnexpectedEof) => "it is cut short".to_owned(),
        (None, _) => {
            "it is no archive that `pipeline cache archive` has written, or damaged".to_owned()
        }
    };
    StoreError::Archive { what }
}
