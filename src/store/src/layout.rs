//! Where everything lies under the root of the cache, and which version of that layout this is.
//! Unaware of what the files hold; writes only the file `format` and folders.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::at;
use crate::record::{MAX_RECORD, PLAIN, WITH_KINDS};
use crate::tree::names;
use crate::{Key, Record, Result, StoreError, write_atomic};

/// The numbers that the file `format` of a cache of ours may say: the newest format of its records, so that a program that
/// does not know that one leaves the cache alone. A next one must not be what a flipped bit makes of these: of 1 that
/// makes 0, 3, 5 or 9, of 2 it makes 0, 3 or 6. The records decide about such.
const KNOWN: [u32; 2] = [PLAIN, WITH_KINDS];

/// What the file `format` of every version begins with; a number follows.
const TITLE: &str = "pipeline cache ";

/// What the file `format` says.
fn format_text(number: u32) -> String {
    format!("{TITLE}{number}\n")
}

/// Records that are tried where the file `format` is lost.
const TRIES: usize = 1000;

/// What lies at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A cache.
    Cache,
    /// A cache that says so by its records alone: the file `format` is gone or damaged.
    Unnamed,
    /// No cache yet.
    Nothing,
}

/// How the name of a record ends that is not committed yet.
pub(crate) const NEW_RECORD: &str = ".new";

/// The folders that a cache for writing has from the start.
const FOLDERS: [&str; 7] = [
    "outputs", "records", "logs", "locks", "partial", "damaged", "last",
];

/// Paths under one root.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn output_dir(&self, key: &Key) -> PathBuf {
        self.sharded("outputs", key, "")
    }

    pub(crate) fn record(&self, key: &Key) -> PathBuf {
        self.sharded("records", key, ".json")
    }

    /// The folders that hold records, and nothing else of ours.
    pub(crate) fn record_shards(&self) -> PathBuf {
        self.root.join("records")
    }

    pub(crate) fn log(&self, key: &Key) -> PathBuf {
        self.sharded("logs", key, ".log")
    }

    pub(crate) fn lock(&self, key: &Key) -> PathBuf {
        self.sharded("locks", key, "")
    }

    pub(crate) fn partials(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn partial(&self, key: &Key) -> PathBuf {
        self.partials().join(key.to_string())
    }

    /// The folder with the locks of all keys that begin with these digits.
    pub(crate) fn locks_beside(&self, digits: &str) -> PathBuf {
        let shard = digits.get(..2).unwrap_or(digits);
        self.room("locks").join(shard)
    }

    pub(crate) fn all_damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    pub(crate) fn damaged(&self, key: &Key, n: u32) -> PathBuf {
        self.all_damaged().join(format!("{key}-{n}"))
    }

    pub(crate) fn memo(&self) -> PathBuf {
        self.root.join("memo")
    }

    pub(crate) fn last(&self, name: &str) -> PathBuf {
        self.root.join("last").join(name)
    }

    /// Where a record is written before it gets its name. Only who holds the key's lock writes it.
    pub(crate) fn new_record(&self, key: &Key) -> PathBuf {
        self.sharded("records", key, NEW_RECORD)
    }

    /// A folder directly under the root.
    pub(crate) fn room(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Empty work folders, for the next tickets.
    pub(crate) fn spares(&self) -> PathBuf {
        self.root.join("spare")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("records.index")
    }

    /// What running programs have claimed.
    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("locks").join("runs")
    }

    /// Taken alone by a clean-up while it moves things, shared by those who say what it must keep.
    pub(crate) fn gc_lock(&self) -> PathBuf {
        self.root.join("locks").join("gc")
    }

    /// Taken by who puts outputs at their declared paths.
    pub(crate) fn places_lock(&self) -> PathBuf {
        self.root.join("locks").join("places")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.root.join("pins")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub(crate) fn decoded(&self) -> PathBuf {
        self.root.join("decoded")
    }

    pub(crate) fn trajectory(&self, key: &Key) -> PathBuf {
        self.sharded("trajectories", key, "")
    }

    /// `<room>/<first two digits>/<key><ending>`: folders stay small with many keys.
    fn sharded(&self, room: &str, key: &Key, ending: &str) -> PathBuf {
        let hex = key.digest().to_hex();
        let root = self.root.as_os_str();
        let length = root.len() + room.len() + hex.len() + ending.len() + 5;
        let mut path = OsString::with_capacity(length);
        path.push(root);
        for part in ["/", room, "/", &hex[..2], "/", &*hex, ending] {
            path.push(part);
        }
        path.into()
    }

    /// Makes the folders, and says what lay there. The file `format` comes first; where it was lost and a record of ours
    /// is there, or none at all, it is written again.
    pub(crate) fn create(&self) -> Result<Found> {
        fs::create_dir_all(&self.root).map_err(at("create", &self.root))?;
        let found = self.found()?;
        match found {
            Found::Cache => {}
            Found::Nothing => self.write_format(PLAIN)?,
            Found::Unnamed => self.write_format(self.newest_format())?,
        }
        if found == Found::Nothing {
            self.keep_out_of_git();
        }
        for folder in FOLDERS {
            let folder = self.root.join(folder);
            fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        }
        self.check_writable()?;
        Ok(found)
    }

    fn write_format(&self, number: u32) -> Result<()> {
        write_atomic(&self.root.join("format"), format_text(number).as_bytes())
    }

    /// Makes the file `format` say this number, unless it says it already; on the disk when this returns.
    pub(crate) fn raise_format(&self, number: u32) -> Result<()> {
        let said = files::read(&self.root.join("format"), 4096);
        if said.is_ok_and(|said| said == format_text(number).as_bytes()) {
            return Ok(());
        }
        self.write_format(number)
    }

    /// The newest format that a record has; all are read, for one alone may have it.
    fn newest_format(&self) -> u32 {
        let formats = self.record_keys().filter_map(|key| {
            let bytes = files::read(&self.record(&key), MAX_RECORD).ok()?;
            Some(Record::decode(&bytes, &key).ok()?.format)
        });
        formats.max().unwrap_or(PLAIN)
    }

    /// The keys that have a record, as far as they can be listed.
    fn record_keys(&self) -> impl Iterator<Item = Key> {
        let folder = self.record_shards();
        let shards = names(&folder).unwrap_or_default();
        shards.into_iter().flat_map(move |shard| {
            let records = names(&folder.join(shard)).unwrap_or_default();
            let key = |name: String| name.strip_suffix(".json")?.parse::<Key>().ok();
            records.into_iter().filter_map(key).collect::<Vec<_>>()
        })
    }

    /// Version control leaves a new cache alone. One that has a word on that already keeps it, and where it cannot be
    /// said, the cache works all the same.
    fn keep_out_of_git(&self) {
        let path = self.root.join(".gitignore");
        if path.symlink_metadata().is_err() {
            let _ = write_atomic(&path, b"# made by pipeline\n*\n");
        }
    }

    /// A cache on a read-only disk is noticed here, not when the first stage ends.
    fn check_writable(&self) -> Result<()> {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(&self.root, access)
            .map_err(io::Error::from)
            .map_err(at("write in", &self.root))
    }

    /// Whether there is a cache yet. One of another layout is an error.
    pub(crate) fn found(&self) -> Result<Found> {
        let path = self.root.join("format");
        let bytes = match files::read(&path, 4096) {
            Ok(bytes) if is_known(&bytes) => return Ok(Found::Cache),
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return Err(at("read", &path)(e));
            }
            Err(_) => b"none".to_vec(),
        };
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        let text = text.trim().to_owned();
        let records = match (names_a_version(&text), is_one_bit_away(&bytes)) {
            (false, _) => self.records(),
            (true, false) => Records::OfOthers,
            // Damage, unless there is nothing that says so.
            (true, true) => match self.records() {
                Records::Ours => Records::Ours,
                Records::None | Records::OfOthers => Records::OfOthers,
            },
        };
        match records {
            Records::None => Ok(Found::Nothing),
            Records::Ours => Ok(Found::Unnamed),
            Records::OfOthers => Err(StoreError::Format {
                path,
                found: text,
                expected: TITLE.to_owned() + &KNOWN.map(|number| number.to_string()).join(" or "),
            }),
        }
    }

    /// What the first records say.
    fn records(&self) -> Records {
        let mut found = Records::None;
        for key in self.record_keys().take(TRIES) {
            let bytes = files::read(&self.record(&key), MAX_RECORD).unwrap_or_default();
            if Record::decode(&bytes, &key).is_ok() {
                return Records::Ours;
            }
            found = Records::OfOthers;
        }
        found
    }
}

/// Of whom a cache's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Records {
    None,
    /// At least one is whole and of this program.
    Ours,
    /// There are some, and none that this program can read.
    OfOthers,
}

/// Whether a file `format` is one of this program's.
fn is_known(bytes: &[u8]) -> bool {
    let known = KNOWN.map(format_text);
    known.iter().any(|known| bytes == known.as_bytes())
}

/// Whether a file `format` is one of this program's but for one flipped bit.
fn is_one_bit_away(bytes: &[u8]) -> bool {
    KNOWN.map(format_text).iter().any(|known| {
        let pairs = bytes.iter().zip(known.as_bytes());
        let flipped: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
        bytes.len() == known.len() && flipped == 1
    })
}

/// Whether the text of a file `format` is that of another version: such a cache is left alone.
fn names_a_version(text: &str) -> bool {
    let number = text.strip_prefix(TITLE).and_then(|n| n.parse::<u32>().ok());
    number.is_some_and(|number| number > 0 && !KNOWN.contains(&number))
}
